import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  dueOfId,
  newId,
  occurrenceId,
  parseId,
  parseOccurrenceId,
  recurrenceId,
} from "../../mailbox/message/id.ts";

const NOW = Date.UTC(2026, 10, 24);

describe("message ids", () => {
  it("sort in the order made, also within one millisecond and when the clock goes back a little", () => {
    const ids = [NOW, NOW, NOW, NOW + 1, NOW - 5_000, NOW + 2].flatMap((now) =>
      Array.from({ length: 50 }, () => newId(now, now + 10)),
    );
    expect(ids.toSorted()).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("say when they were sent and for when", () => {
    const sentAt = NOW + 60_000;
    for (const ahead of [0, 1, 35, 36, 86_400_000, 100 * 365.25 * 86_400_000, -1, -sentAt - 5_000]) {
      expect(parseId(newId(sentAt, sentAt + ahead))).toEqual({ sentAt, dueAt: sentAt + ahead });
    }
  });

  it("do not claim to be from the future after the clock was set back by hours", () => {
    const later = NOW + 7_200_000;
    newId(later, later);
    expect(parseId(newId(NOW, NOW))?.sentAt).toBe(NOW);
  });

  it("are read back whatever the due time", () => {
    let sentAt = NOW + 10_000_000;
    fc.assert(
      fc.property(fc.integer({ min: -8_640_000_000_000, max: 3_155_760_000_000 }), (ahead) => {
        sentAt += 1;
        expect(dueOfId(newId(sentAt, sentAt + ahead))).toBe(sentAt + ahead);
      }),
    );
  });

  it.each([
    ["empty", ""],
    ["too short", "0mwugk98uLgOC88RD1"],
    ["with upper case in the time", "0MWUGK98uLgOC88RD1Q00000"],
    ["with a leading zero in the due time", "0mwugk98uLgOC88RD1Q000000a"],
    ["with minus zero", "0mwugk98uLgOC88RD1Q0000-0"],
    ["with more behind it", "0mwugk98uLgOC88RD1Q00000 "],
    ["with a line end behind it", "0mwugk98uLgOC88RD1Q00000\n"],
    ["of SQL", "'; DROP TABLE _mailbox_envelopes; --"],
  ])("are refused when they are %s", (_, text) => {
    expect(parseId(text)).toBeUndefined();
    expect(dueOfId(text)).toBeUndefined();
  });

  it("are read strictly: no text parses but the one that was made", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), (text) => {
        const parsed = parseId(text);
        if (parsed !== undefined)
          expect(text.endsWith((parsed.dueAt - parsed.sentAt).toString(36))).toBe(true);
      }),
    );
  });
});

describe("recurrence and occurrence ids", () => {
  it("tell every type and key apart, whatever characters they hold", () => {
    fc.assert(
      fc.property(fc.tuple(fc.string(), fc.string()), fc.tuple(fc.string(), fc.string()), (a, b) => {
        const isSame = recurrenceId(...a) === recurrenceId(...b);
        expect(isSame).toBe(
          a[0].toWellFormed() === b[0].toWellFormed() && a[1].toWellFormed() === b[1].toWellFormed(),
        );
      }),
    );
  });

  it("name the planned time of an occurrence, and lead back to it", () => {
    const recurrence = recurrenceId("a:b@c", "k@1:2");
    const id = occurrenceId(recurrence, NOW);
    expect(parseOccurrenceId(id)).toEqual({ recurrence, plannedAt: NOW });
    expect(dueOfId(id)).toBe(NOW);
    expect(parseOccurrenceId(recurrence)).toBeUndefined();
    expect(parseOccurrenceId(`${recurrence}@01`)).toBeUndefined();
    expect(parseOccurrenceId(`${recurrence}@1@2`)).toBeUndefined();
  });
});
