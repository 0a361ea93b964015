// The demo: 329 real webhooks through the relay to a receiver that is slow, fails, is busy and refuses,
// then the repair. It ends with 1 if a webhook is missing, altered, early or badly signed.

import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Books, quantile } from "./books.ts";
import { ENDPOINTS, type Item, makePlan, REFUSED_TYPE } from "./plan.ts";
import { Receiver } from "./receiver.ts";
import { type Letter, Relay } from "./relay.ts";

const PATIENCE_MS = 55_000;

// On exit, whatever the reason, the runtime's own hook kills its processes and removes its storage.
for (const [signal, number] of [
  ["SIGHUP", 1],
  ["SIGINT", 2],
  ["SIGTERM", 15],
] as const) {
  process.once(signal, () => process.exit(128 + number));
}

const startedAt = performance.now();
const plan = makePlan();
const books = new Books(plan);
const receiver = await Receiver.start(books);
const relay = new Relay();
let isGood = false;
try {
  isGood = await demo();
} catch (error) {
  console.error(error);
  console.error(relay.lastLog(20).join("\n"));
} finally {
  await Promise.race([Promise.all([relay.close(), receiver.close()]), sleep(5_000)]);
}
process.exit(isGood ? 0 : 1);

async function demo(): Promise<boolean> {
  say(`The relay runs at ${(await relay.start()).origin}, with fresh storage.`);
  for (const endpoint of ENDPOINTS) {
    const secret = `whsec_${randomBytes(24).toString("base64")}`;
    await relay.register(endpoint, { url: receiver.endpoint(endpoint, secret), secret });
  }

  say(`Sending ${describe(plan)}.`);
  let isSending = true;
  const sending = sendAll().then(() => {
    isSending = false;
  });
  await Promise.all([sending, untilQuiet(() => isSending)]);

  const letters = await deadLetters();
  say(`${letters.length} dead letters:`);
  for (const { letter } of letters) console.log(`     ${show(letter)}`);

  say("The receiver is repaired. Redriving one letter by its id, then all others.");
  receiver.repair();
  const [first] = letters;
  let redriven = first === undefined ? 0 : await relay.redrive(first.endpoint, first.letter.id);
  for (const endpoint of ENDPOINTS) redriven += await relay.redrive(endpoint);
  await untilQuiet(() => false);

  return report(letters.length, redriven);
}

/** Sends the plan, to all endpoints at the same time. */
async function sendAll(): Promise<void> {
  // What is refused takes longest to die, so it goes first.
  const inOrder = plan.toSorted((a, b) => Number(b.type === REFUSED_TYPE) - Number(a.type === REFUSED_TYPE));
  await Promise.all(
    ENDPOINTS.map(async (endpoint) => {
      for (const item of inOrder) if (item.endpoint === endpoint) await send(item);
    }),
  );
}

async function send({ id, type, body, endpoint, delayMs }: Item): Promise<void> {
  const dueAt = Date.now() + delayMs;
  books.sent(id, dueAt);
  await relay.send(endpoint, { id, type, body, ...(delayMs === 0 ? {} : { at: dueAt }) });
}

/** Waits until nothing is being sent or pending at any endpoint, and says each second how far it is. */
async function untilQuiet(isSending: () => boolean): Promise<void> {
  for (;;) {
    const mayGrow = isSending();
    const counts = await Promise.all(ENDPOINTS.map((endpoint) => relay.counts(endpoint)));
    const pending = counts.reduce((sum, { pending }) => sum + pending, 0);
    const dead = counts.reduce((sum, { deadLetters }) => sum + deadLetters, 0);
    say(
      `accepted ${books.acceptedCount} of ${books.sentCount}, waiting ${pending}, redelivered ${books.redeliveredCount}, dead ${dead}`,
    );
    if (!mayGrow && pending === 0) return;
    if (performance.now() - startedAt > PATIENCE_MS) {
      throw new Error(`${pending} webhooks were still pending after ${PATIENCE_MS / 1000} seconds.`);
    }
    await sleep(1_000);
  }
}

async function deadLetters(): Promise<{ readonly endpoint: string; readonly letter: Letter }[]> {
  const lists = await Promise.all(
    ENDPOINTS.map(async (endpoint) =>
      (await relay.deadLetters(endpoint)).map((letter) => ({ endpoint, letter })),
    ),
  );
  return lists.flat();
}

/** Checks the books, and prints the summary; whether all is good. */
function report(dead: number, redriven: number): boolean {
  const problems = books.problems();
  for (const { kind, text } of problems.slice(0, 20)) console.error(`${kind}: ${text}`);
  const countOf = (kind: string): number => problems.filter((problem) => problem.kind === kind).length;
  say(
    `Checked every POST: ${countOf("altered")} altered, ${countOf("bad signature")} badly signed, ${books.repeatedCount} accepted twice.`,
  );
  const lateness = books.lateness();
  console.log(
    [
      `\nsent ${books.sentCount}`,
      `delivered ${books.acceptedCount}`,
      `redelivered ${books.redeliveredCount}`,
      `dead-lettered ${dead}`,
      `redriven ${redriven}`,
      `lost ${countOf("missing")}`,
      `early ${countOf("early")}`,
      `lateness median ${quantile(lateness, 0.5)} ms, p99 ${quantile(lateness, 0.99)} ms`,
    ].join(" · "),
  );
  // A run in which nothing died has not shown what it should.
  return problems.length === 0 && books.sentCount === plan.length && dead > 0 && redriven === dead;
}

function describe(items: readonly Item[]): string {
  const bytes = items.reduce((sum, { body }) => sum + Buffer.byteLength(body), 0);
  const delayed = items.filter(({ delayMs }) => delayMs > 0).length;
  return `${items.length} GitHub webhooks (${(bytes / 1e6).toFixed(1)} MB) to ${ENDPOINTS.length} endpoints, ${delayed} of them delayed by 1 to 8 s`;
}

function show({ payload, reason, attempts, errors }: Letter): string {
  return `${payload.id} ${payload.type}: ${reason} after ${attempts} attempts; ${errors.at(-1)?.message ?? ""}`;
}

function say(text: string): void {
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
  console.log(`${seconds.padStart(2)} s ${text}`);
}
