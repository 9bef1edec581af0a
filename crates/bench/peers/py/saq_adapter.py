"""SAQ 0.26.4 on Redis, with uvloop. One by one: `enqueue`. Many callers and bulk: `enqueue` from 64 tasks, because there is no
bulk. The worker has its default concurrency of 10. Results are kept for ten minutes, which is its
default.
"""

import asyncio
import logging

import saq
import uvloop
from saq.job import Status

from bench import CALLERS, JOBS, TASK, Queue, mark, measure

logging.disable(logging.CRITICAL)

CONCURRENCY = 10


async def send_mail(_context: dict, *, mail: dict) -> None:
    mark(mail["id"])


class Saq(Queue):
    packages = ["saq", "uvloop"]
    settings = f"append-only file written every second; worker concurrency {CONCURRENCY}"

    def __init__(self):
        self.queue = saq.Queue.from_url(TASK["url"], name="mail")
        self.stored = 0

    async def add(self, mail):
        await self.queue.enqueue("send_mail", mail=mail)

    async def add_all(self, mails):
        async def some(first: int) -> None:
            for mail in mails[first::CALLERS]:
                await self.add(mail)

        await asyncio.gather(*(some(first) for first in range(CALLERS)))

    async def work(self):
        async def count(_context: dict) -> None:
            self.stored += 1

        functions = [("send_mail", send_mail)]
        await saq.Worker(self.queue, functions=functions, concurrency=CONCURRENCY, after_process=count).start()

    async def is_done(self):
        return self.stored >= JOBS and await self.queue.count("incomplete") == 0

    async def completed(self):
        return sum([1 async for _ in self.queue.iter_jobs(statuses=[Status.COMPLETE])])


async def main() -> None:
    queue = Saq()
    await queue.queue.connect()
    await measure(queue)
    await queue.queue.disconnect()


uvloop.run(main())
