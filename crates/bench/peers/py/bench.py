"""What every adapter for a Python queue shares: the job, the ways of submitting it, what is noted of executions, and the
lines that `script.rs` reads. The task is the first argument.
"""

import asyncio
import importlib.metadata
import json
import math
import resource
import sys
import time
from abc import ABC, abstractmethod

BULK = 1_000
CALLERS = 64
PATIENCE = 120
LOOK = 0.002
# From one job to the next, and how long an idle worker is let settle down, as `trial.rs`.
APART = 0.02
SETTLING = 1

TASK = json.loads(sys.argv[1])
JOBS = TASK["jobs"]
# Whether single jobs come now and then; otherwise many wait.
TRICKLE = TASK["question"] == "latency"

counts = bytearray(JOBS)
began = [0.0] * JOBS
ran = 0


def mark(number: int) -> None:
    """Job `number` runs. A number that no job has is not counted, so that a job is missing."""
    global ran
    if number < JOBS:
        began[number] = time.perf_counter()
        ran += counts[number] == 0
        counts[number] = min(counts[number] + 1, 255)


def mail_numbered(number: int) -> dict:
    """As `mail.rs`."""
    return {"id": number, "to": f"user{number % 10_000_000:07}@example.com", "subject": "welcome", "body": "x" * 32}


class Queue(ABC):
    """A queue and its worker."""

    packages: list[str]
    settings: str

    @abstractmethod
    async def add(self, mail: dict) -> None:
        """Stores one job."""

    @abstractmethod
    async def add_all(self, mails: list[dict]) -> None:
        """Stores many jobs, in one go where it can."""

    @abstractmethod
    async def work(self) -> None:
        """Runs jobs until it is canceled."""

    @abstractmethod
    async def is_done(self) -> bool:
        """Whether every completion is stored, once all jobs ran."""

    @abstractmethod
    async def completed(self) -> int:
        """How many jobs the queue itself says are completed."""


async def measure(queue: Queue) -> None:
    found = await (reactions(queue) if TRICKLE else rate(queue))
    again = sum(max(count - 1, 0) for count in counts)
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in queue.packages)
    rss_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found |= {"rss_mib": rss_mib, "ran": ran, "again": again, "completed": await queue.completed(), "settings": queue.settings}
    print(json.dumps(found | {"versions": f"{versions}, Python {sys.version.split()[0]}"}))


async def rate(queue: Queue) -> dict:
    if TASK["question"] == "drain":
        await submit(queue)
        return await measured(drain(queue))
    found = await measured(submit(queue))
    await drain(queue)
    return found


async def reactions(queue: Queue) -> dict:
    """How long each job waits for an idle worker, from the call that adds it to the start of its handler."""
    added = [0.0] * JOBS
    worker = asyncio.create_task(queue.work())
    await asyncio.sleep(SETTLING)

    async def trickle() -> None:
        for number in range(JOBS):
            mail = mail_numbered(number)
            added[number] = time.perf_counter()
            await queue.add(mail)
            await asyncio.sleep(APART)
        await finish(queue, worker)

    found = await measured(trickle())
    await stop(worker)
    waits = sorted((start - moment) * 1e3 for moment, start in zip(added, began))
    quantiles = {"p50_ms": 0.5, "p99_ms": 0.99, "max_ms": 1}
    return found | {name: waits[max(math.ceil(JOBS * share), 1) - 1] for name, share in quantiles.items()}


async def drain(queue: Queue) -> None:
    worker = asyncio.create_task(queue.work())
    await finish(queue, worker)
    await stop(worker)


async def finish(queue: Queue, worker: asyncio.Task) -> None:
    since = time.monotonic()
    while not (ran == JOBS and await queue.is_done()) and not worker.done() and time.monotonic() - since < PATIENCE:
        await asyncio.sleep(LOOK)


async def stop(worker: asyncio.Task) -> None:
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)


async def measured(action) -> dict:
    """Runs what is measured, when somebody is ready to look at the server too."""
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    since, before = time.perf_counter(), time.process_time()
    await action
    found = {"seconds": time.perf_counter() - since, "cpu_seconds": time.process_time() - before}
    print("done", flush=True)
    return found


async def submit(queue: Queue) -> None:
    if TASK["mode"] == "one":
        await add_each(queue, 0, JOBS)
    elif TASK["mode"] == "callers64":
        places = [JOBS * caller // CALLERS for caller in range(CALLERS + 1)]
        await asyncio.gather(*(add_each(queue, first, last) for first, last in zip(places, places[1:])))
    else:
        for start in range(0, JOBS, BULK):
            await queue.add_all([mail_numbered(number) for number in range(start, min(start + BULK, JOBS))])


async def add_each(queue: Queue, first: int, last: int) -> None:
    for number in range(first, last):
        await queue.add(mail_numbered(number))
