// What every adapter for a JavaScript queue shares: the job, the ways of submitting it, the count of executions, and the
// one line of JSON that `script.rs` reads. The task is the first argument.

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const BULK = 1_000;
const CALLERS = 64;
const PATIENCE_MS = 120_000;

/** The task: `question`, `mode`, `jobs`, and the `url` of the server. */
export const task = JSON.parse(process.argv[2]);

const counts = new Uint8Array(task.jobs);
let ran = 0;

/** Job `number` runs. A number that no job has is not counted, so that a job is missing. */
export function mark(number) {
  if (!(number in counts)) return;
  ran += counts[number] === 0 ? 1 : 0;
  counts[number] += 1;
}

/** Whether every job ran. */
export const allRan = () => ran === task.jobs;

/** Asks until `done` says yes, or for two minutes. */
export async function until(done) {
  const began = performance.now();
  while (!(await done()) && performance.now() - began < PATIENCE_MS) await sleep(2);
}

/**
 * Measures a queue: `add` stores one payload, `addBulk` many; `drain` starts a worker and ends when the queue has stored
 * every completion; `completed` is what the queue itself counts afterwards. `between` runs before the drain, unmeasured.
 */
export async function measure({ add, addBulk, between = () => {}, drain, completed, settings, packages }) {
  const submitted = await timed(() => submit(add, addBulk));
  await between();
  const drained = await timed(drain);
  const report = {
    seconds: task.question === "drain" ? drained : submitted,
    ran,
    again: counts.reduce((sum, count) => sum + Math.max(count - 1, 0), 0),
    completed: await completed(),
    settings,
    versions: [...packages.map(versionOf), `Node.js ${process.versions.node}`].join(", "),
  };
  console.log(JSON.stringify(report));
}

async function timed(action) {
  const began = performance.now();
  await action();
  return (performance.now() - began) / 1_000;
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
