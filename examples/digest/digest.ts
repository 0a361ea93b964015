// Collects notes, and makes a digest of them by the clocks of the reader's time zone. The recurrence is
// declared from outside, by a ref: the Worker that declares it again on every request writes nothing.

import { Actor, type Receive } from "../../actors/index.ts";

export interface DigestMessages {
  noted: { readonly text: string };
  compile: void;
}

/** What was compiled, and for which planned time. */
export type Compiled = { readonly plannedAt: number; readonly text: string };

export class Digest extends Actor<unknown, DigestMessages> {
  protected override readonly receive: Receive<DigestMessages> = {
    noted: ({ text }) => this.ctx.storage.sql.exec("INSERT INTO notes (text) VALUES (?)", text),

    // An occurrence of the recurrence, in one commit with its ack: no note is lost, and none is in two digests.
    compile: (_, { sentAt }) => {
      const { sql } = this.ctx.storage;
      const notes = sql.exec<{ text: string }>("DELETE FROM notes RETURNING text").toArray();
      if (notes.length === 0) return;
      const text = notes.map((note) => note.text).join("\n");
      sql.exec("INSERT INTO digests VALUES (?, ?)", sentAt, text);
    },
  };

  constructor(ctx: DurableObjectState, env: unknown) {
    super(ctx, env);
    ctx.storage.sql.exec(`
      CREATE TABLE IF NOT EXISTS notes (number INTEGER PRIMARY KEY, text TEXT NOT NULL);
      CREATE TABLE IF NOT EXISTS digests (plannedAt INTEGER PRIMARY KEY, text TEXT NOT NULL);
    `);
  }

  digests(): Compiled[] {
    return this.ctx.storage.sql.exec<Compiled>("SELECT * FROM digests ORDER BY plannedAt").toArray();
  }
}
