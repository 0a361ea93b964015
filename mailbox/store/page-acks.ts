// The acks of a page: rows of messages that were handled, deleted together, in one statement where it
// can be, in the commit of their handlers. Until then they are still there; whoever reads or writes
// the table has them deleted first, so that nobody sees one.
//
// A handler may cause that inside its own transaction, and then throw: the rollback brings the rows
// back. So they are remembered until the page ends, and after a rollback they are deleted once more,
// one by one, because by then a range may hold something new.

import type { Sql } from "./schema.ts";

/** The key of a waiting row. */
interface Waiting {
  readonly due: number;
  readonly id: string;
}

export class Acks {
  readonly #sql: Sql;
  #rows: Waiting[] = [];
  /** How many of the rows are deleted, and how many of those no rollback can bring back. */
  #deleted = 0;
  #confirmed = 0;
  /** The rows of the page follow each other in the table, with nothing in between. */
  #areConsecutive = true;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Whether rows are still there that should not be. */
  get areOpen(): boolean {
    return this.#deleted < this.#rows.length;
  }

  /** The handler of a row has completed: what its transaction has deleted is about to be committed. */
  add(row: Waiting): void {
    if (!this.areOpen) this.#areConsecutive = true;
    this.#confirmed = this.#deleted;
    this.#rows.push(row);
  }

  /** Deletes what is open; how many there were, those apart that were cancelled while they ran. */
  flush(): number {
    const rows = this.#rows;
    const first = rows[this.#deleted];
    const last = rows.at(-1);
    if (first === undefined || last === undefined) return 0;
    let count = 0;
    if (this.#areConsecutive && first !== last) {
      count = this.#sql.exec(
        "DELETE FROM _mailbox_envelopes WHERE parked = 0 AND (due, id) >= (?, ?) AND (due, id) <= (?, ?)",
        first.due,
        first.id,
        last.due,
        last.id,
      ).rowsWritten;
    } else {
      for (const { due, id } of rows.slice(this.#deleted)) {
        count += this.#sql.exec(
          "DELETE FROM _mailbox_envelopes WHERE parked = 0 AND due = ? AND id = ?",
          due,
          id,
        ).rowsWritten;
      }
    }
    this.#deleted = rows.length;
    return count;
  }

  /** The page has ended outside any transaction: what is deleted stays deleted. */
  close(): void {
    this.#rows = [];
    this.#deleted = 0;
    this.#confirmed = 0;
    this.#areConsecutive = true;
  }

  /** A transaction was rolled back, maybe with deletions in it. */
  rolledBack(): void {
    if (this.#deleted === this.#confirmed) return;
    this.#deleted = this.#confirmed;
    this.#areConsecutive = false;
  }
}
