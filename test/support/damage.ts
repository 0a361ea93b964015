// What something else than the mailbox may have written into the JSON columns of its rows.

import type { Scripted } from "./scripted.ts";

/** A text, and what is wrong with it. */
export type Bad = readonly [what: string, text: string];

const noJson: readonly Bad[] = [
  ["no JSON", "garbage"],
  ["nothing", ""],
  ["JSON that was cut", '{"policy":{"maxAtt'],
  ["JSON of 100,000 levels", "[".repeat(100_000)],
  ["a text", '"x"'],
  ["a number", "5"],
  ["null", "null"],
];

/** Texts that are no options of a message. */
export const BAD_OPTIONS: readonly Bad[] = [
  ...noJson,
  ["a list", "[]"],
  ["a policy that is a number", '{"policy":5}'],
  ["a policy that is null", '{"policy":null}'],
  ["attempts that are a text", '{"policy":{"maxAttempts":"many"}}'],
  ["attempts that are none", '{"policy":{"maxAttempts":0}}'],
  ["a backoff without its fields", '{"policy":{"backoff":{}}}'],
  ["a backoff that is too long for a date", '{"policy":{"backoff":{"initialMs":1e300,"factor":1,"maxMs":1e300,"jitter":0}}}'],
  ["a timeout that is null", '{"policy":{"timeoutMs":null}}'],
  ["an expiry that is null", '{"expiresAt":null}'],
  ["an expiry that is a text", '{"expiresAt":"soon"}'],
  ["a sender that is a text", '{"from":"me"}'],
  ["a sender whose id is a number", '{"from":{"id":5,"className":"Cart"}}'],
  ["a number of defers that is a text", '{"defers":"x"}'],
  ["a number of earlier attempts that is an object", '{"earlierAttempts":{}}'],
]; // prettier-ignore

/** Texts that are no history of a message. */
export const BAD_HISTORY: readonly Bad[] = [
  ...noJson,
  ["an object", "{}"],
  ["a list of numbers", "[5]"],
  ["a list of nulls", "[null]"],
  ["a record without its times", '[{"name":"Error","message":"no","outcome":"threw"}]'],
  ["a record whose message is an object", '[{"attempt":1,"startedAt":1,"durationMs":1,"outcome":"threw","name":"Error","message":{}}]'],
  ["a record whose stack is a number", '[{"attempt":1,"startedAt":1,"durationMs":1,"outcome":"threw","name":"Error","message":"no","stack":5}]'],
]; // prettier-ignore

const HOURLY = '"rule":{"kind":"interval","everyMs":3600000,"anchor":0}';

/** Texts that are no rule of a recurrence. */
export const BAD_RULES: readonly Bad[] = [
  ...noJson,
  ["a list", "[]"],
  ["an object without a rule", '{"bounds":{"missed":"latest"}}'],
  ["an object without bounds", `{${HOURLY}}`],
  ["a rule of an unknown kind", '{"rule":{"kind":"never"},"bounds":{"missed":"latest"}}'],
  ["an interval of nothing", '{"rule":{"kind":"interval","everyMs":0,"anchor":0},"bounds":{"missed":"latest"}}'],
  ["an interval that runs backwards", '{"rule":{"kind":"interval","everyMs":-5,"anchor":0},"bounds":{"missed":"latest"}}'],
  ["an interval of one millisecond", '{"rule":{"kind":"interval","everyMs":1,"anchor":0},"bounds":{"missed":"latest"}}'],
  ["an interval without an anchor", '{"rule":{"kind":"interval","everyMs":3600000},"bounds":{"missed":"latest"}}'],
  ["a cron expression that is none", '{"rule":{"kind":"cron","cron":"every day","timeZone":"UTC"},"bounds":{"missed":"latest"}}'],
  ["a time zone that is none", '{"rule":{"kind":"cron","cron":"0 9 * * 1","timeZone":"Mars/Olympus"},"bounds":{"missed":"latest"}}'],
  ["bounds that are null", `{${HOURLY},"bounds":null}`],
  ["bounds without what becomes of missed times", `{${HOURLY},"bounds":{}}`],
  ["an end that is null", `{${HOURLY},"bounds":{"missed":"latest","until":null}}`],
  ["a number of times that is a text", `{${HOURLY},"bounds":{"missed":"latest","times":"x"}}`],
]; // prettier-ignore

/** Runs a statement on the storage under the mailbox, as a person with the database's shell would. */
export function damage(box: Scripted, statement: string, ...bindings: (string | number)[]): Promise<void> {
  return box.inside(({ realStorage }) => {
    realStorage.sql.exec(statement, ...bindings);
  });
}

/** The one value that a query finds. */
export function stored(box: Scripted, query: string, ...bindings: (string | number)[]): Promise<unknown> {
  return box.inside(({ realStorage }) => Object.values(realStorage.sql.exec(query, ...bindings).one())[0]);
}
