"""procrastinate 3.10.0 on PostgreSQL, with uvloop. One by one: `defer_async`. Many callers: `defer_async` from 64 tasks. Bulk:
`batch_defer_async` of 1000. The worker has a concurrency of 20 and listens; jobs are kept, which is its default.
"""

import logging

import procrastinate
import uvloop

from bench import TASK, Queue, mark, measure

logging.disable(logging.CRITICAL)

CONNECTIONS = 10
CONCURRENCY = 20

app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=TASK["url"], max_size=CONNECTIONS))


@app.task(name="send_mail")
async def send_mail(mail: dict) -> None:
    mark(mail["id"])


async def ask(expression: str):
    return (await app.connector.execute_query_one_async(f"SELECT {expression} AS answer"))["answer"]


class Procrastinate(Queue):
    packages = ["procrastinate", "psycopg", "uvloop"]
    settings = f"PostgreSQL's defaults; worker concurrency {CONCURRENCY}, {CONNECTIONS} connections"

    async def add(self, mail):
        await send_mail.defer_async(mail=mail)

    async def add_all(self, mails):
        await send_mail.batch_defer_async(*({"mail": mail} for mail in mails))

    async def work(self):
        await app.run_worker_async(concurrency=CONCURRENCY, install_signal_handlers=False)

    async def is_done(self):
        return await ask("NOT EXISTS (SELECT FROM procrastinate_jobs WHERE status <> 'succeeded')")

    async def completed(self):
        return await ask("(SELECT count(*) FROM procrastinate_jobs WHERE status = 'succeeded')")


async def main() -> None:
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        await measure(Procrastinate())


uvloop.run(main())
