// bullmq 6.7.0 for Node.js, over ioredis 6.0.0. One by one: `add`. Many callers: `add` from 64 loops. Bulk: `addBulk` of 1000. A
// backlog: one worker with a concurrency of 100. One job now and then: a worker with its defaults. Completed jobs are kept,
// which is its default.

import { Queue, Worker } from "bullmq";

import { mark, measure, task, trickle } from "./bench.mjs";

const QUEUE = "mail";
const NAME = "SendMail";
const CONCURRENCY = trickle ? 1 : 100;

const { hostname, port } = new URL(task.url);
const connection = { host: hostname, port: Number(port), maxRetriesPerRequest: null };
const queue = new Queue(QUEUE, { connection });
await queue.waitUntilReady();

let worker;

async function work() {
  worker = new Worker(QUEUE, async (job) => mark(job.data.id), { connection, concurrency: CONCURRENCY });
  worker.on("error", (error) => console.error(error));
}

await measure({
  add: (data) => queue.add(NAME, data),
  addBulk: (payloads) => queue.addBulk(payloads.map((data) => ({ name: NAME, data }))),
  work,
  isDone: async () => (await queue.getCompletedCount()) >= task.jobs,
  completed: () => queue.getCompletedCount(),
  settings: `append-only file written every second; worker concurrency ${CONCURRENCY}`,
  packages: ["bullmq", "ioredis"],
});
await worker.close();
await queue.close();
