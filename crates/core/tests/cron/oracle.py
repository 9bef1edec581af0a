"""Asks croniter (PyPI) when 2 000 random cron expressions tick, for the test `cron` beside this folder.

    pip install croniter==7.0.0 tzdata && python3 oracle.py > croniter.tsv

A line: expression, zone, moment to begin after, and the five ticks after it, as seconds since 1970; or `never`.
"""

import random
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from croniter import croniter
from croniter.croniter import CroniterBadDateError

ZONES = ["Europe/Zurich", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Asia/Kolkata"]
DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
random.seed(20261122)


def field(low, high, names=None, star=0.4):
    """One field: a star, a step, a value, a range, or a list of these."""

    def show(value):
        return names[value - low] if names and random.random() < 0.3 else str(value)

    def part():
        kind = random.random()
        first = random.randint(low, high - 1)
        if kind < 0.5:
            return show(random.randint(low, high))
        # croniter takes a range of one value, such as 5-5, for the whole field.
        last = random.randint(first + 1, high)
        if kind < 0.8:
            return f"{show(first)}-{show(last)}"
        return f"{first}-{last}/{random.randint(1, max(1, (high - low) // 3))}"

    kind = random.random()
    if kind < star:
        return "*"
    if kind < star + 0.15:
        return f"*/{random.randint(1, (high - low) // 2)}"
    return ",".join(part() for _ in range(random.choice([1, 1, 1, 2, 3])))


def expression():
    fields = [
        field(0, 59, star=0.2),
        field(0, 23, star=0.3),
        field(1, 31, star=0.6),
        field(1, 12, MONTHS, star=0.7),
        field(0, 6, DAYS, star=0.6),
    ]
    if random.random() < 0.15:
        fields[2] = "L"
    seconds = random.random() < 0.25
    return ([field(0, 59, star=0.1)] if seconds else []) + fields, seconds


def main():
    for number in range(2000):
        fields, seconds = expression()
        zone = random.choice(ZONES) if number % 5 == 0 else "UTC"
        begin = random.randint(1735689600, 1893456000)
        clock = timezone.utc if zone == "UTC" else ZoneInfo(zone)
        # croniter wants the seconds last.
        theirs = " ".join(fields[1:] + fields[:1] if seconds else fields)
        try:
            ticks = croniter(theirs, datetime.fromtimestamp(begin, clock), max_years_between_matches=10)
            ticks = [str(int(ticks.get_next(datetime).timestamp())) for _ in range(5)]
        except CroniterBadDateError:
            ticks = ["never"]
        print(" ".join(fields), zone, begin, *ticks, sep="\t")


main()
