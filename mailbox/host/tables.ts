// Whether this object has a mailbox on disk, and of which version. An older one is brought up to this code's by whatever
// asks first; one that a newer version has written is a mailbox too, whose rows are left alone.

import { NewerSchemaError, type NoAlarmError, NotSqliteError } from "../errors.ts";
import { migrate, SCHEMA_VERSION, schemaVersion } from "../store/schema.ts";

export class Tables {
  readonly #storage: DurableObjectStorage;
  readonly #className: string;
  readonly #onMade: (before: number) => void;
  #areReady = false;
  /** What of the class makes a mailbox impossible. Found out, not asked for. */
  #flaw: NoAlarmError | NotSqliteError | undefined;
  /** A statement has run: whatever fails from now on is not that there is no SQL. */
  #hasSql = false;

  /** @param onMade told when they were made, or brought up from the version before; 0 for none */
  constructor(storage: DurableObjectStorage, className: string, onMade: (before: number) => void) {
    this.#storage = storage;
    this.#className = className;
    this.#onMade = onMade;
  }

  /** Whether they are known to be there, in this code's version. */
  get areReady(): boolean {
    return this.#areReady;
  }

  /** Whether there are any, of whatever version. */
  exist(): boolean {
    return this.#version() > 0;
  }

  /** Whether there are any, and this code can read their rows. */
  areReadable(): boolean {
    const version = this.#version();
    return version > 0 && version <= SCHEMA_VERSION;
  }

  /** Makes them where there are none. @throws {NewerSchemaError} {@link NotSqliteError} {@link NoAlarmError} */
  ready(): void {
    if (this.#areReady && this.#flaw === undefined) return;
    const version = this.#version();
    if (this.#flaw !== undefined) throw this.#flaw;
    if (version > SCHEMA_VERSION) {
      throw new NewerSchemaError(
        `The object's mailbox has schema version ${version}, and this code knows ${SCHEMA_VERSION}; deploy a version of durable-mailbox at least as new as the one that wrote it.`,
      );
    }
    if (version === 0) this.#bringUp(version);
  }

  /** They may have been rolled back or deleted: looks again. */
  forget(): void {
    this.#areReady = false;
  }

  /** They were there before what was rolled back. */
  stayed(): void {
    this.#areReady = true;
  }

  /** The class turned out to have something that makes a mailbox impossible. */
  refuse(flaw: NoAlarmError): void {
    this.#flaw = flaw;
  }

  #version(): number {
    if (this.#areReady) return SCHEMA_VERSION;
    const version = this.#onDisk();
    if (version === 0 || version > SCHEMA_VERSION) return version;
    this.#bringUp(version);
    return SCHEMA_VERSION;
  }

  #onDisk(): number {
    try {
      const version = schemaVersion(this.#storage, this.#className);
      this.#hasSql = true;
      return version;
    } catch (error) {
      if (this.#hasSql || !(error instanceof NotSqliteError)) throw error;
      this.#flaw = error;
      return 0;
    }
  }

  #bringUp(version: number): void {
    if (version < SCHEMA_VERSION) {
      migrate(this.#storage, version);
      this.#onMade(version);
    }
    this.#areReady = true;
  }
}
