"""asyncmq 0.10.1, on Redis or PostgreSQL, with uvloop. One by one: `add`. Many callers: `add` from 64 tasks. Bulk: `add_bulk`
of 1000, which is a loop. The worker has a concurrency of 100 and logs nothing; results are kept, which is its default.
"""

import logging

import uvloop

from bench import JOBS, TASK, Queue, mark, measure

logging.disable(logging.CRITICAL)

from asyncmq import monkay  # noqa: E402  (after its logging is silenced)
from asyncmq.tasks import task  # noqa: E402

CONCURRENCY = 100
NAME = "mail"
ON_REDIS = TASK["url"].startswith("redis")


@task(queue=NAME)
async def send_mail(mail: dict) -> None:
    mark(mail["id"])


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


class AsyncMq(Queue):
    packages = ["asyncmq", "uvloop"]
    durability = "append-only file written every second" if ON_REDIS else "PostgreSQL's defaults"
    settings = f"{durability}; worker concurrency {CONCURRENCY}"

    def __init__(self, backend):
        from asyncmq.queues import Queue as Intake

        self.backend = backend
        self.intake = Intake(NAME, backend=backend)
        self.stored = 0

    async def add(self, mail):
        await self.intake.add(send_mail.task_id, args=[mail])

    async def add_all(self, mails):
        await self.intake.add_bulk([{"task_id": send_mail.task_id, "args": [mail]} for mail in mails])

    async def work(self):
        from asyncmq.runners import run_worker

        complete = self.backend.complete_active_job

        async def completed_and_counted(*args) -> None:
            await complete(*args)
            self.stored += 1

        self.backend.complete_active_job = completed_and_counted
        await run_worker(NAME, backend=self.backend, concurrency=CONCURRENCY)

    async def is_done(self):
        return self.stored >= JOBS

    async def completed(self):
        return len(await self.backend.list_jobs(NAME, "completed"))


async def main() -> None:
    backend = await open_backend()
    monkay.settings.backend = backend
    await measure(AsyncMq(backend))


uvloop.run(main())
