// The drain: what one wake does. It delivers what is due in pages that grow while all goes well, lets
// other requests in between, and ends with the one alarm that the rows ask for. It ends early after
// ten seconds; what is left is the next wake's.

import { now as clockNow, sleep } from "./clock.ts";
import type { Core } from "./core.ts";
import type { Deliverer } from "./deliver.ts";
import { Housekeeping } from "./housekeeping.ts";
import { presentEnvelope, takeUp } from "./occurrence.ts";
import type { Item } from "./outcome.ts";
import type { Relay } from "./relay.ts";
import { NEVER } from "./wake.ts";

const PAGES: readonly number[] = [1, 10, 100, 256];
const PAGE_UNITS = 1024 * 1024;
const SLOW_PAGE_MS = 50;
const WAKE_MS = 10_000;
/** How long a wake waits for batches in flight before it leaves them to themselves. */
const LINGER_MS = 1_000;
const LATE_MS = 1_500;
const LATE_FIRST_MS = 100;

export class Drain {
  readonly #core: Core;
  readonly #deliverer: Deliverer;
  readonly #relay: Relay;
  readonly #housekeeping: Housekeeping;
  #current: Promise<void> | undefined;
  #isFirst = true;
  /** The user's alarm has run last, so messages that are due before it is again go first. */
  #owesMessages = false;

  constructor(core: Core, deliverer: Deliverer, relay: Relay) {
    this.#core = core;
    this.#deliverer = deliverer;
    this.#relay = relay;
    this.#housekeeping = new Housekeeping(core);
  }

  /** Handles the object's alarm. Only errors of the platform leave it, so that it runs the alarm again. */
  wake(info: AlarmInvocationInfo | undefined): Promise<void> {
    // One drain at a time, also for a host that calls this by hand.
    this.#current ??= this.#drain(info).finally(() => {
      this.#current = undefined;
    });
    return this.#current;
  }

  async #drain(info: AlarmInvocationInfo | undefined): Promise<void> {
    const core = this.#core;
    const scheduledTime = info?.scheduledTime ?? 0;
    core.wake.begin();
    core.events.startWake();
    try {
      core.ready();
      const suspiciousUntil = this.#suspiciousUntil(info);
      this.#isFirst = false;
      const lease = core.meta.get("lease");
      if (lease !== undefined) this.#deliverer.recover(lease);
      this.#housekeeping.start();
      await this.#loop(suspiciousUntil);
      if (core.meta.get("suspiciousUntil") !== undefined && this.#isPast(suspiciousUntil)) {
        core.meta.clear("suspiciousUntil");
      }
      this.#housekeeping.end();
      this.#relay.leave();
    } catch (error) {
      core.running = undefined;
      core.rolledBack();
      core.wake.fail();
      throw error;
    } finally {
      core.selectedUntil = Number.NEGATIVE_INFINITY;
    }
    core.wake.end(scheduledTime);
    core.events.endWake();
    this.#tellAfterCommit();
  }

  /**
   * Up to which due time messages are suspicious of having killed the object: the platform runs this
   * alarm again, or it comes so late that it may be a re-run that does not say so. Whatever killed it
   * was due before now; it need not have been due when the alarm was, as one drain delivers on.
   */
  #suspiciousUntil(info: AlarmInvocationInfo | undefined): number {
    const marked = this.#core.meta.get("suspiciousUntil") ?? Number.NEGATIVE_INFINITY;
    if (info?.scheduledTime === undefined) return marked;
    const late = clockNow() - info.scheduledTime;
    const isSuspicious = info.retryCount > 0 || late >= LATE_MS || (this.#isFirst && late >= LATE_FIRST_MS);
    return isSuspicious ? Math.max(marked, clockNow()) : marked;
  }

  /** Whether everything that was suspicious has had its run. */
  #isPast(suspiciousUntil: number): boolean {
    return this.#messagesHead() > suspiciousUntil;
  }

  async #loop(suspiciousUntil: number): Promise<void> {
    const core = this.#core;
    const startedAt = clockNow();
    let level = 0;
    let lingered = 0;
    for (;;) {
      core.ready();
      this.#relay.start();
      const now = clockNow();
      if (now - startedAt >= WAKE_MS) return;
      if (await this.#runAlarmIfDue(suspiciousUntil)) continue;
      const page = core.paused || this.#messagesHead() > now ? [] : this.#page(now, PAGES[level] ?? 1);
      if (page.length > 0) {
        this.#owesMessages = false;
        await this.#deliverPage(page, suspiciousUntil);
        await core.storage.sync();
        core.events.flush();
        if (clockNow() - now > SLOW_PAGE_MS) level = 0;
        else if (level < PAGES.length - 1) level += 1;
        continue;
      }
      level = 0;
      if (await this.#deliverer.runHook(now)) continue;
      if (!this.#relay.isBusy || lingered >= LINGER_MS) return;
      // A batch in flight holds up nobody: whoever sends meanwhile ends the wait.
      const poked = core.wake.poked();
      const wait = Math.min(LINGER_MS - lingered, Math.max(1, core.head() - now));
      await Promise.race([poked, sleep(wait)]);
      lingered += Math.max(1, clockNow() - now);
    }
  }

  /** The next due items, recurrences and messages together, in the order of (due, id). */
  #page(now: number, count: number): Item[] {
    const core = this.#core;
    const messages = core.envelopes.due(now, count, PAGE_UNITS);
    const recurrences = core.recurrences.due(now, count);
    core.selectedUntil = messages.at(-1)?.due ?? now;
    if (recurrences.length === 0) return messages.map((row) => ({ row, present: undefined }));
    const items: Item[] = messages.map((row) => ({ row, present: undefined }));
    for (const row of recurrences) {
      const present = takeUp(core, row);
      if (present === undefined || present.next_due === null) continue;
      items.push({ row: presentEnvelope(present, present.next_due), present });
    }
    core.selectedUntil = now;
    return items
      .sort((a, b) => a.row.due - b.row.due || (a.row.id < b.row.id ? -1 : 1))
      .slice(0, Math.max(count, 1));
  }

  async #deliverPage(page: readonly Item[], suspiciousUntil: number): Promise<void> {
    const core = this.#core;
    const generation = core.generation;
    for (const item of page) {
      const done = this.#deliverer.deliver(item, item.row.due <= suspiciousUntil);
      if (done !== undefined) await done;
      // Something else than an ack has changed the rows: what was selected may no longer be next.
      if (core.generation !== generation) return;
      if (done !== undefined && this.#isInterrupted()) return;
    }
  }

  /** After an asynchronous handler time has passed: the user's alarm may be due, or the mailbox paused. */
  #isInterrupted(): boolean {
    const core = this.#core;
    const alarm = core.meta.get("alarm");
    return core.paused || (alarm !== undefined && alarm.time <= clockNow());
  }

  async #runAlarmIfDue(suspiciousUntil: number): Promise<boolean> {
    const core = this.#core;
    const alarm = core.meta.get("alarm");
    if (alarm === undefined || alarm.time > clockNow()) return false;
    // An alarm that always sets itself to the present does not starve the mailbox.
    if (this.#owesMessages && !core.paused && this.#messagesHead() < alarm.time) return false;
    this.#owesMessages = true;
    await this.#deliverer.runAlarm(alarm, alarm.time <= suspiciousUntil);
    await core.storage.sync();
    core.events.flush();
    return true;
  }

  #messagesHead(): number {
    const { envelopes, recurrences } = this.#core;
    return Math.min(envelopes.head() ?? NEVER, recurrences.head() ?? NEVER);
  }

  #tellAfterCommit(): void {
    const core = this.#core;
    void core.storage.sync().then(
      () => core.events.flush(),
      () => {},
    );
  }
}
