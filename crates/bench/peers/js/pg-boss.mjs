// pg-boss 12.35.0 for Node.js. One by one: `send`. Many callers: `send` from 64 loops. Bulk: `insert` of 1000. A backlog: one
// worker with a batch of 5000, which fetches again at once while batches are full; a batch is completed in one statement.
// One job now and then: a worker that looks every 0.5 s, which is the shortest there is. Completed jobs are kept, which is its
// default. It asks for Node.js 22.12 and runs on 20.

import { PgBoss } from "pg-boss";

import { mark, measure, task } from "./bench.mjs";

const QUEUE = "mail";
const CONNECTIONS = 10;
const BATCH = 5_000;
const POLLING_S = 0.5;

const boss = new PgBoss({ connectionString: task.url, max: CONNECTIONS });
boss.on("error", (error) => console.error(error));
await boss.start();
await boss.createQueue(QUEUE);

async function ask(expression) {
  const found = await boss.getDb().executeSql(`SELECT ${expression} AS answer`);
  return found.rows[0].answer;
}

const completed = () => ask(`(SELECT count(*)::int FROM pgboss.job WHERE name = '${QUEUE}' AND state = 'completed')`);
const isDone = () => ask(`NOT EXISTS (SELECT FROM pgboss.job WHERE name = '${QUEUE}' AND state < 'completed')`);

async function work() {
  const options = { batchSize: BATCH, pollingIntervalSeconds: POLLING_S, burstWhenBatchFull: true };
  await boss.work(QUEUE, options, async (jobs) => jobs.forEach((job) => mark(job.data.id)));
}

await measure({
  add: (data) => boss.send(QUEUE, data),
  addBulk: (payloads) => boss.insert(QUEUE, payloads.map((data) => ({ data }))),
  work,
  isDone,
  completed,
  settings: `batchSize ${BATCH}, pollingIntervalSeconds ${POLLING_S}, burstWhenBatchFull, ${CONNECTIONS} connections`,
  packages: ["pg-boss"],
});
await boss.stop({ graceful: false });
