import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { errorFingerprint } from "../../mailbox/message/fingerprint.ts";

describe("the fingerprint of an error", () => {
  const cases: readonly [message: string, fingerprint: string][] = [
    ["", "Error"],
    ["plain words stay", "Error: plain words stay"],
    ["took 1,234.5 ms, 3 of 10", "Error: took # ms, # of #"],
    ["at 12:30:05", "Error: at #"],
    ["item42 of v1.2.3", "Error: item# of v#"],
    ["no user 550e8400-e29b-41d4-a716-446655440000", "Error: no user <id>"],
    ["no user 00000000-0000-1000-8000-000000000000", "Error: no user <id>"],
    ["commit 3f786850e387550fdab836ed7e6dc881de23001b", "Error: commit <id>"],
    ["address 0x7ffe9a12", "Error: address <id>"],
    ["key V1StGXR8_Z5jdHi6B-myT is gone", "Error: key <id> is gone"],
    ['no column "price" in `carts`', "Error: no column <quoted> in <quoted>"],
    ["can't find 'a b', don't ask", "Error: can't find <quoted>, don't ask"],
    ["an open \" and 'quote", "Error: an open \" and 'quote"],
    ["getElementsByClassName failed", "Error: getElementsByClassName failed"],
    ["decade, facade and deadbeef", "Error: decade, facade and deadbeef"],
    ["HTTP 503 from https://example.org/a/17", "Error: HTTP # from https://example.org/a/#"],
    ["two\n  lines\tof text ", "Error: two lines of text"],
  ];
  it.each(cases)("leaves out what differs from time to time: %j", (message, fingerprint) => {
    expect(errorFingerprint("Error", message)).toBe(fingerprint);
  });

  it("is the same for one failure with other numbers, ids and quoted parts", () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.uuid(), fc.uuid(), (a, b, x, y) => {
        const message = (n: number, id: string) => `row ${n} of "${id}" (${id}) is ${n} late`;
        expect(errorFingerprint("E", message(a, x))).toBe(errorFingerprint("E", message(b, y)));
      }),
    );
  });

  it("has at most 256 characters, none of them halved", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary" }),
        fc.string({ unit: "binary", maxLength: 600 }),
        (name, message) => {
          const fingerprint = errorFingerprint(name, message);
          expect(fingerprint.length).toBeLessThanOrEqual(256);
          expect(fingerprint.isWellFormed()).toBe(true);
        },
      ),
    );
    expect(errorFingerprint("E", `x${"😀".repeat(300)}`).isWellFormed()).toBe(true);
  });

  it("takes no longer for a message made to be slow", () => {
    // Were any of it quadratic in the message, a megabyte would take minutes.
    for (const part of ['"', "'", "`", "' ", "'a", "1", "1a", "1,", "#,", "a-", " ", "\n", "f0", "Aa0"]) {
      errorFingerprint("E", part.repeat(1_000_000 / part.length));
    }
  });
});
