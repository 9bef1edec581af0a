// What every adapter for a JavaScript queue shares: the job, the ways of submitting it, what is noted of executions, and the
// lines that `script.rs` reads. The task is the first argument.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

const BULK = 1_000;
const CALLERS = 64;
const PATIENCE_MS = 120_000;
/** From one job to the next, and how long an idle worker is let settle down, as `trial.rs`. */
const APART_MS = 20;
const SETTLING_MS = 1_000;

/** The task: `question`, `mode`, `jobs`, and the `url` of the server. */
export const task = JSON.parse(process.argv[2]);

/** Whether single jobs come now and then; otherwise many wait. */
export const trickle = task.question === "latency";

const counts = new Uint8Array(task.jobs);
const began = new Float64Array(task.jobs);
let ran = 0;

/** Job `number` runs. A number that no job has is not counted, so that a job is missing. */
export function mark(number) {
  if (!(number in counts)) return;
  began[number] = performance.now();
  ran += counts[number] === 0 ? 1 : 0;
  counts[number] += 1;
}

/**
 * Measures a queue: `add` stores one payload, `addBulk` many; `work` starts a worker; `isDone` says whether the queue has
 * stored every completion, once all jobs ran; `completed` is what the queue itself counts afterwards.
 */
export async function measure({ add, addBulk, work, isDone, completed, settings, packages }) {
  const finish = () => until(async () => ran === task.jobs && (await isDone()));
  const found = await (trickle ? reactions(add, work, finish) : rate(add, addBulk, work, finish));
  const report = {
    ...found,
    ran,
    again: counts.reduce((sum, count) => sum + Math.max(count - 1, 0), 0),
    completed: await completed(),
    rss_mib: process.resourceUsage().maxRSS / 1_024,
    settings,
    versions: [...packages.map(versionOf), `Node.js ${process.versions.node}`].join(", "),
  };
  console.log(JSON.stringify(report));
}

async function rate(add, addBulk, work, finish) {
  const drain = async () => {
    await work();
    await finish();
  };
  if (task.question === "drain") {
    await submit(add, addBulk);
    return measured(drain);
  }
  const found = await measured(() => submit(add, addBulk));
  await drain();
  return found;
}

/** How long each job waits for an idle worker, from the call that adds it to the start of its handler. */
async function reactions(add, work, finish) {
  await work();
  await sleep(SETTLING_MS);
  const added = new Float64Array(task.jobs);
  const found = await measured(async () => {
    for (let number = 0; number < task.jobs; number += 1) {
      const payload = mail(number);
      added[number] = performance.now();
      await add(payload);
      await sleep(APART_MS);
    }
    await finish();
  });
  const waits = added.map((moment, number) => began[number] - moment).sort();
  const quantile = (share) => waits[Math.max(Math.ceil(task.jobs * share), 1) - 1];
  return { ...found, p50_ms: quantile(0.5), p99_ms: quantile(0.99), max_ms: quantile(1) };
}

/** Asks until `done` says yes, or for two minutes. */
async function until(done) {
  const since = performance.now();
  while (!(await done()) && performance.now() - since < PATIENCE_MS) await sleep(2);
}

/** Runs what is measured, when somebody is ready to look at the server too. */
async function measured(action) {
  const lines = createInterface({ input: process.stdin });
  const go = new Promise((resolve) => lines.once("line", resolve));
  console.log("ready");
  await go;
  lines.close();
  const [since, before] = [performance.now(), process.cpuUsage()];
  await action();
  const [seconds, { user, system }] = [(performance.now() - since) / 1_000, process.cpuUsage(before)];
  console.log("done");
  return { seconds, cpu_seconds: (user + system) / 1e6 };
}

async function submit(add, addBulk) {
  if (task.mode === "one") return addAll(add, 0, task.jobs);
  if (task.mode === "callers64") return addFromMany(add);
  for (let start = 0; start < task.jobs; start += BULK) {
    const length = Math.min(BULK, task.jobs - start);
    await addBulk(Array.from({ length }, (_, index) => mail(start + index)));
  }
}

async function addFromMany(add) {
  const place = (caller) => Math.floor((task.jobs * caller) / CALLERS);
  const callers = Array.from({ length: CALLERS }, (_, caller) => addAll(add, place(caller), place(caller + 1)));
  await Promise.all(callers);
}

async function addAll(add, from, to) {
  for (let number = from; number < to; number += 1) await add(mail(number));
}

/** As `mail.rs`. */
function mail(number) {
  const user = String(number % 10_000_000).padStart(7, "0");
  return { id: number, to: `user${user}@example.com`, subject: "welcome", body: "x".repeat(32) };
}

function versionOf(name) {
  const file = new URL(`node_modules/${name}/package.json`, import.meta.url);
  return `${name} ${JSON.parse(readFileSync(file)).version}`;
}
