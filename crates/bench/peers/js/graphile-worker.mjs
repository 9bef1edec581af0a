// graphile-worker 0.18.0 for Node.js. One by one: `addJob`. Many callers: `addJob` from 64 loops. Bulk: `addJobs` of 1000.
// A backlog: one worker with its own performance test's settings, but 100 jobs at a time, a local queue of 5000 and
// completions gathered for 5 ms, which is faster. One job now and then: a worker with its defaults. Completion deletes the
// job. It asks for Node.js 22.18 and runs on 20.

import { Logger, makeWorkerUtils, run } from "graphile-worker";

import { mark, measure, task, trickle } from "./bench.mjs";

const NAME = "mail";
const CONNECTIONS = 10;
const CONCURRENCY = 100;
const LOCAL_QUEUE = 5_000;
const BATCH_DELAY_MS = 5;

const backlog = {
  maxPoolSize: CONNECTIONS,
  concurrentJobs: CONCURRENCY,
  localQueue: { size: LOCAL_QUEUE, refetchDelay: { durationMs: 10 } },
  completeJobBatchDelay: BATCH_DELAY_MS,
  failJobBatchDelay: BATCH_DELAY_MS,
};
const preset = { worker: { connectionString: task.url, ...(trickle ? {} : backlog) } };
const logger = new Logger(() => () => {});
const utils = await makeWorkerUtils({ preset, logger });
await utils.migrate();

async function ask(expression) {
  const found = await utils.withPgClient((client) => client.query(`SELECT ${expression} AS answer`));
  return found.rows[0].answer;
}

let worker;

async function work() {
  const taskList = { [NAME]: (payload) => mark(payload.id) };
  worker = await run({ preset, logger, taskList, parsedCronItems: [], noHandleSignals: true });
}

const gathered = `concurrentJobs ${CONCURRENCY}, local queue ${LOCAL_QUEUE}, batch delays ${BATCH_DELAY_MS} ms, ${CONNECTIONS} connections`;

await measure({
  add: (payload) => utils.addJob(NAME, payload),
  addBulk: (payloads) => utils.addJobs(payloads.map((payload) => ({ identifier: NAME, payload }))),
  work,
  isDone: () => ask("NOT EXISTS (SELECT FROM graphile_worker._private_jobs)"),
  completed: async () => task.jobs - (await ask("(SELECT count(*)::int FROM graphile_worker._private_jobs)")),
  settings: trickle ? "default" : gathered,
  packages: ["graphile-worker"],
});
await worker.stop();
await utils.release();
