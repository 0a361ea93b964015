import type { StandardSchemaV1 } from "@standard-schema/spec";
import { afterEach, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { AsyncSchemaError, SchemaRefusedError, validated } from "../../actors/index.ts";
import { startClockAfterEach, stopClock } from "../support/clock.ts";
import { actor, until } from "../support/scripted.ts";

const Mail = z.object({ to: z.email(), at: z.iso.datetime().transform((text) => new Date(text)) });

describe("validated", () => {
  startClockAfterEach();
  afterEach(() => vi.restoreAllMocks());

  it("gives the handler the schema's output, and stores its input", async () => {
    stopClock();
    const seen: unknown[] = [];
    const box = actor({ receive: { mail: validated(Mail, (output) => void seen.push(output)) as never } });
    const input = { to: "ada@example.org", at: "2027-01-01T09:00:00Z" };
    const id = await box.ref.sendIn("1 hour", "mail", input);
    expect((await box.ref.get(id))?.payload).toEqual(input);
    await box.ref.reschedule(id, Date.now());
    await box.drain();
    expect(seen).toEqual([{ to: "ada@example.org", at: new Date("2027-01-01T09:00:00Z") }]);
  });

  it("refuses at send, by a ref and on the actor, and nothing is enqueued", async () => {
    const box = actor({ receive: { mail: validated(Mail, () => {}) as never } });
    const wrong = { to: "nobody", at: "2027-01-01T09:00:00Z" };
    await expect(box.ref.send("mail", wrong)).rejects.toThrow(SchemaRefusedError);
    await expect(box.ref.send("mail", wrong)).rejects.toThrow(/to: /);
    await expect(box.ref.sendAll([{ type: "mail", payload: wrong }])).rejects.toMatchObject({
      code: "schema_refused",
    });
    await box.inside((self) => expect(() => self.send("mail", wrong)).toThrow(SchemaRefusedError));
    expect((await box.ref.stats()).pending).toBe(0);
  });

  it("makes a dead letter of what an older version let in, which goes back with another payload", async () => {
    stopClock();
    const seen: unknown[] = [];
    const box = actor({ receive: { mail: () => {} } });
    const id = await box.ref.sendIn("1 hour", "mail", { address: "ada@example.org" });
    box.deploy({ receive: { mail: validated(Mail, (output) => void seen.push(output)) as never } });
    await box.evict();
    await box.ref.reschedule(id, Date.now());
    await box.drain();
    const letter = await box.ref.deadLetter(id);
    expect(letter).toMatchObject({ reason: "unreadable", payload: { address: "ada@example.org" } });
    expect(letter?.errors.at(-1)?.name).toBe("SchemaRefusedError");
    await expect(box.ref.redrive(id)).rejects.toThrow(SchemaRefusedError);
    const payload = { to: "ada@example.org", at: "2027-01-01T09:00:00Z" };
    expect(await box.ref.redrive(id, { payload })).toBe(true);
    await box.drain();
    expect(seen).toHaveLength(1);
  });

  it("refuses a schema that answers a promise, at send and at delivery", async () => {
    stopClock();
    const Slow = z.string().refine(async () => Promise.resolve(true));
    const box = actor({ receive: { note: validated(Slow, () => {}) as never } });
    await expect(box.ref.send("note", "text")).rejects.toThrow(AsyncSchemaError);
    box.deploy({ receive: { note: () => {} } });
    await box.evict();
    const id = await box.ref.sendIn("1 hour", "note", "text");
    box.deploy({ receive: { note: validated(Slow, () => {}) as never } });
    await box.evict();
    await box.ref.reschedule(id, Date.now());
    await box.drain();
    expect((await box.ref.deadLetter(id))?.errors.at(-1)?.name).toBe("AsyncSchemaError");
  });

  /** A schema of a vendor's own making. */
  const schema = (validate: (value: unknown) => unknown): StandardSchemaV1 =>
    ({ "~standard": { version: 1, vendor: "test", validate } }) as StandardSchemaV1;

  it.each([
    ["with issues: undefined", (value: unknown) => ({ value, issues: undefined })],
    ["with issues: null", (value: unknown) => ({ value, issues: null })],
    ["with undefined for its value", () => ({ value: undefined })],
  ])("takes a result %s for a success", async (_, validate) => {
    const seen: unknown[] = [];
    const box = actor({ receive: { note: validated(schema(validate), (output) => void seen.push(output)) } });
    await box.ref.send("note", "text");
    await box.drain();
    expect(seen).toEqual([(validate("text") as { value: unknown }).value]);
  });

  const broken: readonly [what: string, validate: () => unknown, message: string][] = [
    [
      "throws",
      () => fail(new TypeError("no such rule")),
      "The schema of receive.note failed: TypeError: no such rule",
    ],
    ["throws what cannot be read", () => fail(Object.create(null)), "The schema of receive.note failed"],
    ["answers a number", () => 5, "answered 5; expected a result of a Standard Schema"],
    ["answers nothing", () => undefined, "answered undefined"],
    ["answers an object without a value", () => ({}), "answered an object"],
    ["answers issues of no form", () => ({ issues: true }), "The schema of receive.note failed"],
    [
      "answers a result that throws",
      () => ({
        get issues() {
          return fail(new Error("lazy"));
        },
      }),
      "failed: Error: lazy",
    ],
  ];
  it.each(broken)("refuses what its schema cannot say: one that %s", async (_, validate, message) => {
    stopClock();
    const box = actor({ receive: { note: validated(schema(validate), () => {}) } });
    const refusal: unknown = await box.ref.send("note", "text").catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(SchemaRefusedError);
    expect(String(refusal)).toContain(message);
    await box.inside((self) => expect(() => self.send("note", "text")).toThrow(SchemaRefusedError));
    expect((await box.ref.stats()).pending).toBe(0);
    box.deploy({ receive: { note: () => {} } });
    await box.evict();
    const id = await box.ref.sendIn("1 hour", "note", "text");
    box.deploy({ receive: { note: validated(schema(validate), () => {}) } });
    await box.evict();
    await box.ref.reschedule(id, Date.now());
    await box.drain();
    expect(await box.ref.deadLetter(id)).toMatchObject({ reason: "unreadable", payload: "text" });
  });

  it("refuses a schema that answers a thenable of another library", async () => {
    const thenable = { then: (resolve: (value: unknown) => void) => resolve({ value: 1 }) };
    const box = actor({
      receive: {
        note: validated(
          schema(() => thenable),
          () => {},
        ),
      },
    });
    await expect(box.ref.send("note", "text")).rejects.toThrow(AsyncSchemaError);
    expect((await box.ref.stats()).pending).toBe(0);
  });

  it.each([undefined, {}, { "~standard": {} }, () => {}])("refuses what is no schema: %o", async (none) => {
    const box = actor({ receive: { note: validated(none as StandardSchemaV1, () => {}) } });
    await box.inside((self) =>
      expect((async () => self.send("note", "text"))()).rejects.toMatchObject({
        code: "misconfigured",
        cause: { code: "invalid_receive" },
      }),
    );
  });

  it("takes a policy, as any handler does", async () => {
    const box = actor({
      receive: {
        note: validated(
          z.string(),
          () => {
            throw new Error("no");
          },
          { maxAttempts: 1 },
        ) as never,
      },
    });
    await box.ref.send("note", "text");
    await until(() => box.eventsOf("deadLettered").length === 1);
    expect(box.eventsOf("deadLettered")).toMatchObject([{ reason: "exhausted", attempts: 1 }]);
  });
});

function fail(error: unknown): never {
  throw error;
}
