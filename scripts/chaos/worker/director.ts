// Plays scenes: puts around the acts of an actor what the scene says, and takes it back if it is to be.

import { type Act, isTakenBack, type Scene } from "../parcel.ts";

/** Does one act. A promise only for those that have to wait, so that the others are one commit. */
export type Perform = (act: Act) => Promise<void> | undefined;

class TakenBack extends Error {}

export class Director {
  readonly #storage: DurableObjectStorage;
  readonly #captured: DurableObjectStorage;
  readonly #perform: Perform;

  /** @param captured the storage, by a handle that bypasses the mailbox */
  constructor(storage: DurableObjectStorage, captured: DurableObjectStorage, perform: Perform) {
    this.#storage = storage;
    this.#captured = captured;
    this.#perform = perform;
  }

  async play(scene: Scene): Promise<void> {
    switch (scene.within) {
      case "nothing":
        return this.#acts(scene);
      case "transaction":
        return this.#inTransaction(this.#storage, scene);
      case "captured transaction":
        return this.#inTransaction(this.#captured, scene);
      case "transactionSync":
      case "captured transactionSync":
        return this.playSync(scene);
    }
  }

  /** For handlers that are one commit. */
  playSync(scene: Scene): void {
    switch (scene.within) {
      case "nothing":
        return this.#actsSync(scene);
      case "transactionSync":
        return this.#inTransactionSync(this.#storage, scene);
      case "captured transactionSync":
        return this.#inTransactionSync(this.#captured, scene);
      case "transaction":
      case "captured transaction":
        throw new Error("A sync handler has no transaction that waits.");
    }
  }

  async #acts({ acts }: Scene): Promise<void> {
    for (const act of acts) {
      const done = this.#perform(act);
      if (done !== undefined) await done;
    }
  }

  #actsSync({ acts }: Scene): void {
    for (const act of acts) {
      if (this.#perform(act) !== undefined) throw new Error(`${act.do} has to wait.`);
    }
  }

  async #inTransaction(storage: DurableObjectStorage, scene: Scene): Promise<void> {
    try {
      await storage.transaction(async () => {
        await this.#acts(scene);
        if (isTakenBack(scene)) throw new TakenBack();
      });
    } catch (error) {
      if (!(error instanceof TakenBack)) throw error;
    }
  }

  #inTransactionSync(storage: DurableObjectStorage, scene: Scene): void {
    try {
      storage.transactionSync(() => {
        this.#actsSync(scene);
        if (isTakenBack(scene)) throw new TakenBack();
      });
    } catch (error) {
      if (!(error instanceof TakenBack)) throw error;
    }
  }
}
