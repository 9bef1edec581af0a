"""asyncmq 0.10.1, on Redis or PostgreSQL, with uvloop. One by one: `add`. Many callers: `add` from 64 tasks. Bulk: `add_bulk`
of 1000, which is a loop. A backlog: one worker with a concurrency of 100 that logs nothing; results are kept, which is its
default. It prints the one line of JSON that `script.rs` reads. The task is the first argument.
"""

import asyncio
import importlib.metadata
import json
import logging
import sys
import time

import uvloop

BULK = 1_000
CALLERS = 64
CONCURRENCY = 100
PATIENCE = 120
QUEUE = "mail"

TASK = json.loads(sys.argv[1])
JOBS = TASK["jobs"]
ON_REDIS = TASK["url"].startswith("redis")

counts = bytearray(JOBS)
ran = 0

logging.disable(logging.CRITICAL)

from asyncmq import monkay  # noqa: E402  (after its logging is silenced)
from asyncmq.tasks import task  # noqa: E402


@task(queue=QUEUE)
async def send_mail(mail: dict) -> None:
    global ran
    number = mail["id"]
    if number < JOBS:
        ran += counts[number] == 0
        counts[number] = min(counts[number] + 1, 255)


def mail_numbered(number: int) -> dict:
    """As `mail.rs`."""
    return {"id": number, "to": f"user{number % 10_000_000:07}@example.com", "subject": "welcome", "body": "x" * 32}


async def open_backend():
    if ON_REDIS:
        from asyncmq.backends.redis import RedisBackend

        return RedisBackend(redis_url_or_client=TASK["url"])
    from asyncmq.backends.postgres import PostgresBackend
    from asyncmq.core.utils.postgres import install_or_drop_postgres_backend

    await install_or_drop_postgres_backend(TASK["url"])
    backend = PostgresBackend(dsn=TASK["url"])
    await backend.connect()
    return backend


async def add_all(queue, first: int, last: int) -> None:
    for number in range(first, last):
        await queue.add(send_mail.task_id, args=[mail_numbered(number)])


async def submit(queue) -> None:
    if TASK["mode"] == "one":
        await add_all(queue, 0, JOBS)
    elif TASK["mode"] == "callers64":
        places = [JOBS * caller // CALLERS for caller in range(CALLERS + 1)]
        await asyncio.gather(*(add_all(queue, first, last) for first, last in zip(places, places[1:])))
    else:
        for start in range(0, JOBS, BULK):
            numbers = range(start, min(start + BULK, JOBS))
            await queue.add_bulk([{"task_id": send_mail.task_id, "args": [mail_numbered(number)]} for number in numbers])


async def completed(backend) -> int:
    return len(await backend.list_jobs(QUEUE, "completed"))


async def drain(backend) -> None:
    """Ends when the queue has stored every completion."""
    from asyncmq.runners import run_worker

    stored = 0
    complete = backend.complete_active_job

    async def completed_and_counted(*args) -> None:
        nonlocal stored
        await complete(*args)
        stored += 1

    backend.complete_active_job = completed_and_counted
    worker = asyncio.create_task(run_worker(QUEUE, backend=backend, concurrency=CONCURRENCY))
    began = time.monotonic()
    while stored < JOBS and not worker.done() and time.monotonic() - began < PATIENCE:
        await asyncio.sleep(0.002)
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)


async def measure() -> None:
    from asyncmq.queues import Queue

    backend = await open_backend()
    monkay.settings.backend = backend
    queue = Queue(QUEUE, backend=backend)
    began = time.perf_counter()
    await submit(queue)
    submitted = time.perf_counter() - began
    began = time.perf_counter()
    await drain(backend)
    drained = time.perf_counter() - began
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ["asyncmq", "uvloop"])
    durability = "append-only file written every second" if ON_REDIS else "PostgreSQL's defaults"
    print(
        json.dumps(
            {
                "seconds": drained if TASK["question"] == "drain" else submitted,
                "ran": ran,
                "again": sum(max(count - 1, 0) for count in counts),
                "completed": await completed(backend),
                "settings": f"{durability}; worker concurrency {CONCURRENCY}",
                "versions": f"{versions}, Python {sys.version.split()[0]}",
            }
        )
    )


uvloop.run(measure())
