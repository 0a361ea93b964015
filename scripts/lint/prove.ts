// Proves that every rule of the architecture bites: lays out a small project in a temporary folder under
// this repository's own lint configuration, with one breaking file for each case, and compares what
// oxlint reports with what each case expects. A rule that was renamed, mistyped or switched off shows.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

interface Case {
  readonly file: string;
  readonly source: string;
  /** The rule that must be the one reported, or none. */
  readonly rule?: string;
}

const promise = "async function work(): Promise<number> {\n  return await Promise.resolve(1);\n}\n";
const union = 'type Outcome = { kind: "ack" } | { kind: "retry" } | { kind: "dead" };\n';

function bad(rule: string, folder: string, sources: Readonly<Record<string, string>>): Case[] {
  return Object.entries(sources).map(([name, source]) => ({
    rule,
    source,
    file: `${folder}/bad-${name}.ts`,
  }));
}

function good(sources: Readonly<Record<string, string>>): Case[] {
  return Object.entries(sources).map(([file, source]) => ({ file, source }));
}

const cases: readonly Case[] = [
  ...bad("architecture(sql-only-in-store)", "mailbox", {
    sql: "export function all(sql: SqlStorage): unknown {\n  return sql.exec('SELECT 1');\n}\n",
    "sql-storage":
      "export const all = (ctx: DurableObjectState): unknown => ctx.storage.sql.exec('SELECT 1');\n",
    "sql-optional": "export const all = (sql?: SqlStorage): unknown => sql?.exec('SELECT 1');\n",
    "sql-computed": "export const all = (sql: SqlStorage): unknown => sql['exec']('SELECT 1');\n",
    "sql-taken":
      "export const all = (sql: SqlStorage): unknown => {\n  const { exec } = sql;\n  return exec;\n};\n",
  }),
  ...bad("architecture(sql-only-in-store)", "actors", {
    "actor-sql": "export const all = (sql: SqlStorage): unknown => sql.exec('SELECT 1');\n",
  }),
  ...bad("architecture(alarm-only-in-wake)", "mailbox", {
    "set-alarm":
      "export const arm = (storage: DurableObjectStorage): Promise<void> => storage.setAlarm(1);\n",
    "get-alarm": "export const armed = (storage: DurableObjectStorage): unknown => storage.getAlarm();\n",
    "delete-alarm":
      "export const disarm = (storage: DurableObjectStorage): unknown => storage?.deleteAlarm();\n",
    "alarm-computed":
      "export const arm = (storage: DurableObjectStorage): unknown => storage['setAlarm'](1);\n",
    "alarm-call":
      "export const arm = (storage: DurableObjectStorage): unknown => storage.setAlarm.call(storage, 1);\n",
    "alarm-taken":
      "export const arm = (storage: DurableObjectStorage): unknown => {\n  const { setAlarm: set } = storage;\n  return set;\n};\n",
  }),
  ...bad("architecture(alarm-only-in-wake)", "actors", {
    "actor-alarm":
      "export const arm = (storage: DurableObjectStorage): Promise<void> => storage.setAlarm(1);\n",
  }),
  ...bad("architecture(alarm-only-in-wake)", "taskmanager", {
    "task-alarm":
      "export const arm = (storage: DurableObjectStorage): Promise<void> => storage.setAlarm(1);\n",
  }),
  ...bad("architecture(time-only-in-clock)", "mailbox", {
    "date-now": "export const now = (): number => Date.now();\n",
    "date-new": "export const later = (at: number): Date => new Date(at);\n",
    "date-value": "export const clock = { date: Date };\n",
    "date-global": "export const now = (): number => globalThis.Date.now();\n",
    "date-aliased": "const Moment = Date;\nexport const now = (): number => Moment.now();\n",
    "date-cast": "export const clock = Date as unknown;\n",
  }),
  ...bad("architecture(time-only-in-clock)", "actors", {
    "actor-date": "export const now = (): number => Date.now();\n",
  }),
  ...bad("architecture(imports-downwards)", "mailbox", {
    "imports-actors": 'import { three } from "../actors/good.ts";\nexport const x = three;\n',
    "imports-actors-type": 'import type { Three } from "../actors/good.ts";\nexport type X = Three;\n',
    "imports-examples": 'import { example } from "../examples/good.ts";\nexport const x = example;\n',
    "imports-test": 'import { helper } from "../test/good.ts";\nexport const x = helper;\n',
    "imports-root": 'import { x } from "../elsewhere.ts";\nexport const y: unknown = x;\n',
    "imports-re-export": 'export { three } from "../actors/good.ts";\n',
    "imports-dynamic": 'export const load = (): Promise<unknown> => import("../actors/good.ts");\n',
    "imports-cloudflare": 'import { env } from "cloudflare:workers";\nexport const x: unknown = env;\n',
    "imports-undeclared": 'import { z } from "zod";\nexport const x: unknown = z;\n',
    "imports-node": 'import { readFileSync } from "node:fs";\nexport const x: unknown = readFileSync;\n',
    "imports-itself": 'import { Actor } from "durable-mailbox";\nexport const x: unknown = Actor;\n',
  }),
  ...bad("architecture(imports-downwards)", "actors", {
    "imports-examples": 'import { example } from "../examples/good.ts";\nexport const x = example;\n',
    "imports-test": 'import { helper } from "../test/good.ts";\nexport const x = helper;\n',
    "imports-undeclared": 'import { Hono } from "hono";\nexport const x: unknown = Hono;\n',
  }),
  ...bad("architecture(imports-downwards)", "taskmanager", {
    "imports-examples": 'import { example } from "../examples/good.ts";\nexport const x = example;\n',
    "imports-cloudflare": 'import { env } from "cloudflare:workers";\nexport const x: unknown = env;\n',
  }),
  ...bad("architecture(imports-downwards)", "examples", {
    "imports-test": 'import { helper } from "../test/good.ts";\nexport const x = helper;\n',
  }),
  ...bad("architecture(rooms-downwards)", "mailbox/store", {
    "imports-host": 'import { arm } from "../host/wake.ts";\nexport const x: unknown = arm;\n',
    "imports-facade": 'import { id } from "../index.ts";\nexport const x: unknown = id;\n',
    "imports-type": 'import type { Box } from "../mailbox.ts";\nexport type X = Box;\n',
    "imports-dynamic": 'export const load = (): Promise<unknown> => import("../host/wake.ts");\n',
    "imports-past-the-door": 'import { zone } from "../time/zone.ts";\nexport const x: unknown = zone;\n',
    "imports-no-room": 'import { x } from "../attic/good.ts";\nexport const y: unknown = x;\n',
  }),
  ...bad("architecture(rooms-downwards)", "mailbox/time", {
    "imports-message": 'export { limit } from "../message/good.ts";\n',
    "imports-payload": 'import { limit } from "../payload/codec.ts";\nexport const x: unknown = limit;\n',
  }),
  ...bad("architecture(rooms-downwards)", "mailbox", {
    "attic-file": 'import { now } from "./time/clock.ts";\nexport const x: unknown = now;\n',
  }),
  ...bad("architecture(rooms-downwards)", "actors", {
    "imports-room": 'import { now } from "../mailbox/time/clock.ts";\nexport const x: unknown = now;\n',
    "imports-errors": 'export { code } from "../mailbox/errors.ts";\n',
  }),
  ...bad("architecture(rooms-downwards)", "taskmanager", {
    "imports-room": 'import { now } from "../mailbox/time/clock.ts";\nexport const x: unknown = now;\n',
  }),
  ...bad("architecture(rooms-downwards)", "examples", {
    "imports-room": 'import type { Box } from "../mailbox/mailbox.ts";\nexport type X = Box;\n',
  }),
  ...bad("architecture(no-export-all)", "mailbox/message", { star: 'export * from "./good.ts";\n' }),
  ...bad("architecture(no-export-all)", "actors", { "star-as": 'export * as good from "./good.ts";\n' }),
  ...bad("import(no-default-export)", "mailbox", { default: "export default 1;\n" }),
  ...bad("import(no-default-export)", "actors", { default: "export default 1;\n" }),
  ...bad("eslint(no-console)", "mailbox", {
    console: "export function say(): void {\n  console.log(1);\n}\n",
  }),
  ...bad("eslint(no-console)", "actors", {
    console: "export function say(): void {\n  console.warn(1);\n}\n",
  }),
  ...bad("eslint(max-lines)", "mailbox", { long: "export const x = 1;\n".concat("// x\n".repeat(400)) }),
  ...bad("import(no-cycle)", "mailbox/message", {
    "cycle-a": 'import { b } from "./bad-cycle-b.ts";\nexport function a(): unknown {\n  return b;\n}\n',
    "cycle-b": 'import { a } from "./bad-cycle-a.ts";\nexport function b(): unknown {\n  return a;\n}\n',
  }),
  ...bad("typescript(no-explicit-any)", "mailbox", { any: "export const x: any = 1;\n" }),
  ...bad("typescript(no-non-null-assertion)", "actors", {
    "non-null": "export const x = (y?: number): number => y!;\n",
  }),
  ...bad("typescript(consistent-type-imports)", "actors", {
    "type-import":
      'import { type Three } from "./good.ts";\nimport { Two } from "./good.ts";\nexport type X = Two | Three;\n',
  }),
  ...bad("typescript(no-floating-promises)", "mailbox", {
    floating: `${promise}export function start(): void {\n  work();\n}\n`,
  }),
  ...bad("typescript(no-floating-promises)", "test", {
    floating: `${promise}export function start(): void {\n  work();\n}\n`,
  }),
  ...bad("typescript(no-misused-promises)", "mailbox", {
    misused: `${promise}export function start(): boolean {\n  if (work()) return true;\n  return false;\n}\n`,
  }),
  ...bad("typescript(switch-exhaustiveness-check)", "mailbox", {
    switch: `${union}export function apply(outcome: Outcome): void {\n  switch (outcome.kind) {\n    case "ack":\n      return;\n    case "retry":\n      return;\n  }\n}\n`,
  }),

  ...good({
    "mailbox/message/good.ts":
      'import { AsyncLocalStorage } from "node:async_hooks";\nimport { nanoid } from "nanoid";\n' +
      'import { limit as size } from "../payload/codec.ts";\nimport { now } from "../time/clock.ts";\n' +
      "export const id = nanoid;\nexport const isMoment = (value: unknown): value is Date => value instanceof Date;\n" +
      "export const time = (date: Date): number => date.getTime();\nexport type At = Date | number;\nexport const als = new AsyncLocalStorage<number>();\n" +
      "export const limit = size + now();\n",
    "mailbox/payload/codec.ts": "export const limit = 1;\n",
    "mailbox/time/clock.ts":
      "export const now = (): number => Date.now();\nexport const date = (at: number): Date => new Date(at);\n",
    "mailbox/time/zone.ts": "export const zone = 'UTC';\n",
    "mailbox/time/rule.ts": 'import { zone } from "./zone.ts";\nexport const rule = zone;\n',
    "mailbox/store/rows.ts":
      'import { limit } from "../message/good.ts";\nimport { rule } from "../time/rule.ts";\n' +
      "export const all = (sql: SqlStorage): unknown => sql.exec('SELECT 1', rule, limit);\n",
    "mailbox/host/storage-overrides.ts":
      "export class Host {\n  #at = 0;\n  setAlarm(at: number): void {\n    this.#at = at;\n  }\n  getAlarm(): number {\n    return this.#at;\n  }\n}\n" +
      "export const members = { deleteAlarm: (): void => {} };\nexport type Set = DurableObjectStorage['setAlarm'];\n",
    "mailbox/host/wake.ts":
      'import { all } from "../store/rows.ts";\nexport const rows = all;\n' +
      "export const arm = (storage: DurableObjectStorage): Promise<void> => storage.setAlarm(1);\n",
    "mailbox/host/console.ts": "export function say(): void {\n  console.warn(1);\n}\n",
    "mailbox/errors.ts": "export const code = 'x';\n",
    "mailbox/mailbox.ts":
      'import { rows } from "./host/wake.ts";\nexport type Box = typeof rows;\nexport const box = rows;\n',
    "mailbox/index.ts": 'export { box } from "./mailbox.ts";\nexport { id } from "./message/good.ts";\n',
    "mailbox/internal.ts": 'export { now } from "./time/clock.ts";\n',
    "actors/good.ts":
      'import { DurableObject } from "cloudflare:workers";\nimport { id } from "../mailbox/index.ts";\nimport { now } from "../mailbox/internal.ts";\nexport { now };\n' +
      "export const three = 3;\nexport type Three = 3;\nexport type Two = 2;\nexport class Actor extends DurableObject {\n  id(): string {\n    return id();\n  }\n}\n",
    "taskmanager/good.ts":
      'import { three } from "../actors/good.ts";\nimport { id } from "../mailbox/index.ts";\nexport const x = [three, id];\n',
    "taskmanager/take-over.ts":
      "export const arm = (storage: DurableObjectStorage): Promise<void> => storage.setAlarm(1);\n",
    "examples/good.ts":
      'import { three } from "../actors/good.ts";\nexport const example = three;\nexport default {};\n',
    "examples/dates.ts": "export const now = (): number => Date.now();\n",
    "test/good.ts": 'import { example } from "../examples/good.ts";\nexport const helper = example;\n',
    "elsewhere.ts": "export const x = 1;\n",
  }),
];

const repository = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "lint-"));
try {
  process.exitCode = prove() ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function prove(): boolean {
  for (const name of [
    ".oxlintrc.json",
    "package.json",
    "tsconfig.base.json",
    "tsconfig.json",
    "mailbox/node.d.ts",
  ]) {
    cpSync(join(repository, name), join(folder, name));
  }
  cpSync(join(repository, "scripts/lint"), join(folder, "scripts/lint"), { recursive: true });
  symlinkSync(join(repository, "node_modules"), join(folder, "node_modules"), "junction");
  for (const { file, source } of cases) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), source);
  }

  const found = lint();
  let failures = 0;
  for (const { file, rule } of cases) {
    const rules = found.get(file) ?? [];
    const isRight =
      rule === undefined ? rules.length === 0 : rules.length > 0 && rules.every((each) => each === rule);
    if (isRight) continue;
    failures += 1;
    console.error(`${file}: expected ${rule ?? "nothing"}, got ${rules.join(", ") || "nothing"}`);
  }
  const proved = new Set(cases.flatMap(({ rule }) => rule ?? []));
  console.log(`lint rules: ${proved.size} proved by ${cases.length} files, ${failures} failures`);
  return failures === 0;
}

/** The rules reported for each file. */
function lint(): ReadonlyMap<string, readonly string[]> {
  const bin = join(repository, "node_modules/oxlint/bin/oxlint");
  const args = [
    bin,
    "--format",
    "json",
    "mailbox",
    "actors",
    "taskmanager",
    "examples",
    "test",
    "elsewhere.ts",
  ];
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8" });
  let report: { readonly diagnostics: readonly { readonly code: string; readonly filename: string }[] };
  try {
    report = JSON.parse(stdout);
  } catch (cause) {
    throw new Error(`oxlint did not answer with JSON: ${stdout}${stderr}`, { cause });
  }
  const found = new Map<string, string[]>();
  for (const { code, filename } of report.diagnostics) {
    found.set(filename, [...(found.get(filename) ?? []), code]);
  }
  return found;
}
