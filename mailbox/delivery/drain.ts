// The drain: what one wake does. It delivers what is due in pages that grow while all goes well, lets
// other requests in between, and ends with the one alarm that the rows ask for. It ends early after
// ten seconds; what is left is the next wake's.

import { after, now as clockNow, overAtOnce, sleep } from "../time/clock.ts";
import type { Core } from "../host/context.ts";
import { MailboxError } from "../errors.ts";
import { storedError } from "../message/thrown.ts";
import type { Deliverer } from "./deliver.ts";
import { mendFacts } from "./recover.ts";
import { Housekeeping } from "./housekeeping.ts";
import { Backlogs } from "../lifecycle/backlogs.ts";
import { presentEnvelope, takeUp } from "../lifecycle/occurrence.ts";
import { compareDue, cutOf, isBehind } from "../message/order.ts";
import type { Item } from "../lifecycle/settle.ts";
import type { Relay } from "../outbox/relay.ts";
import { NEVER } from "../host/wake.ts";
import { exponential } from "../time/duration.ts";

const PAGES: readonly number[] = [1, 10, 100, 1_000];
const PAGE_UNITS = 1024 * 1024;
/** A page that took longer is large enough: one of ten times as many would hold up others. */
const QUICK_PAGE_MS = 5;
/** The page was chosen before it was slow: others get in between, and the wake counts its time. */
const SLOW_PAGE_MS = 50;
const WAKE_MS = 10_000;
/** How long a wake waits for batches in flight before it leaves them to themselves. */
const LINGER_MS = 1_000;
const LATE_MS = 1_500;
const LATE_FIRST_MS = 100;
/** After so many wakes in a row that changed nothing though something was due, the next ones wait. */
const IDLE_WAKES = 5;
const LOOP_FIRST_MS = 1_000;
const LOOP_MAX_MS = 5 * 60 * 1000;
/** A loop is told of when it begins, and then so often. */
const LOOP_TOLD_MS = 60 * 60 * 1000;
/** How soon a wake comes again in which nothing could be delivered because the class is wrong. */
const PUT_OFF_MIN_MS = 1_000;
export const PUT_OFF_MAX_MS = 60_000;

export class Drain {
  readonly #core: Core;
  readonly #deliverer: Deliverer;
  readonly #relay: Relay;
  readonly #housekeeping: Housekeeping;
  #current: Promise<void> | undefined;
  #isFirst = true;
  #backlogs = new Backlogs();
  #idleWakes = 0;
  #tellLoopAt = 0;
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
    const progress = core.progress;
    let earliest: number;
    try {
      // Without a mailbox on disk, the alarm that fired is none of its own.
      if (info?.scheduledTime !== undefined && !core.exists()) core.adoption.alarm ??= info.scheduledTime;
      core.ready();
      // Before anything is touched: a class that is wrong must leave everything as it is.
      void core.config.alarm;
      mendFacts(core);
      this.#relay.begin();
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
      earliest = this.#earliest(progress);
    } catch (error) {
      core.running = undefined;
      core.rolledBack();
      if (error instanceof MailboxError) {
        this.#putOff(scheduledTime, error);
        return;
      }
      core.wake.fail();
      throw error;
    } finally {
      core.selectedUntil = Number.NEGATIVE_INFINITY;
    }
    core.wake.end(scheduledTime, earliest);
    core.events.endWake();
    core.tellLater();
  }

  /**
   * Nothing can be delivered, for a reason of the class or of this code: wrong settings, a schema from the future. The
   * platform would give the alarm up after six such wakes, and a deploy that mends it would wake nobody. So the next wake
   * is after as long as what waits is overdue, a second to a minute: that needs no memory. How a crash ends is the same.
   */
  #putOff(scheduledTime: number, error: MailboxError): void {
    const core = this.#core;
    const now = clockNow();
    const head = core.isReadable() ? core.head() : now - PUT_OFF_MAX_MS;
    const nextAt = now + Math.min(PUT_OFF_MAX_MS, Math.max(PUT_OFF_MIN_MS, now - head));
    core.raise({
      event: "misconfigured",
      error: storedError(error),
      nextAt: head === NEVER ? undefined : nextAt,
    });
    core.wake.end(scheduledTime, nextAt, head);
    core.events.endWake();
    core.tellLater();
  }

  /**
   * Up to which due time messages are suspicious of having killed the object: the platform runs this
   * alarm again, or it comes so late that it may be a re-run that does not say so. Whatever killed it
   * was due before now; it need not have been due when the alarm was, as one drain delivers on.
   */
  #suspiciousUntil(info: AlarmInvocationInfo | undefined): number {
    const marked = this.#core.meta.get("suspiciousUntil") ?? Number.NEGATIVE_INFINITY;
    if (info?.scheduledTime === undefined) return marked;
    const late = this.#lateness(info.scheduledTime);
    const isSuspicious = info.retryCount > 0 || late >= LATE_MS || (this.#isFirst && this.#isLate(late));
    return isSuspicious ? Math.max(marked, clockNow()) : marked;
  }

  /** A death ends the instance, and what it died of is still there: overdue, whoever has armed since. */
  #isLate(late: number): boolean {
    return Math.max(late, this.#lateness(this.#messagesHead())) >= LATE_FIRST_MS;
  }

  /**
   * How late it is for something, as a sign of a death. What an instance has taken to start, in a constructor that waits
   * for a network, is no sign of one: what it was started for counts up to its start.
   */
  #lateness(at: number): number {
    const { startedAt } = this.#core;
    return (this.#isFirst && startedAt > at ? startedAt : clockNow()) - at;
  }

  /**
   * Breaks a loop: before which moment the next wake is not. Whatever is due and yet cannot be done,
   * because a row is broken or because of a bug, must not be woken for over and over at once.
   */
  #earliest(progress: number): number {
    const core = this.#core;
    const now = clockNow();
    if (core.progress !== progress || core.head() > now) {
      this.#idleWakes = 0;
      this.#tellLoopAt = 0;
      return 0;
    }
    this.#idleWakes += 1;
    if (this.#idleWakes < IDLE_WAKES) return 0;
    const nextAt = now + exponential(LOOP_FIRST_MS, LOOP_MAX_MS, this.#idleWakes - IDLE_WAKES + 1);
    if (now >= this.#tellLoopAt) {
      core.raise({ event: "looping", wakes: this.#idleWakes, nextAt });
      this.#tellLoopAt = now + LOOP_TOLD_MS;
    }
    return nextAt;
  }

  /** Whether everything that was suspicious has had its run. */
  #isPast(suspiciousUntil: number): boolean {
    return this.#messagesHead() > suspiciousUntil;
  }

  async #loop(suspiciousUntil: number): Promise<void> {
    const core = this.#core;
    const startedAt = clockNow();
    this.#backlogs = new Backlogs();
    let level = 0;
    let lingered = 0;
    let rounds = 0;
    let restedAt = startedAt;
    for (;;) {
      // A commit lets in who waits for the object; the runtime may look after sockets and timers only
      // when nothing else can run.
      if (clockNow() - restedAt > SLOW_PAGE_MS) {
        await sleep(0);
        await core.transactions.over();
        restedAt = clockNow();
      }
      core.ready();
      this.#relay.start();
      const now = clockNow();
      if (now - startedAt >= WAKE_MS) return;
      const hasReleased = this.#housekeeping.release();
      if (await this.#runAlarmIfDue(suspiciousUntil)) continue;
      if (!core.paused && this.#messagesHead() <= now) {
        this.#owesMessages = false;
        const { progress } = core;
        // Empty when all that was due are missed occurrences: skipping them is progress too.
        await this.#deliverPage(this.#page(now, PAGES[level] ?? 1), suspiciousUntil);
        await this.#sync();
        if (core.progress === progress) {
          // Nothing can be done with those at the head. There may be others behind them.
          if (level === PAGES.length - 1) return;
          level += 1;
          continue;
        }
        const took = clockNow() - now;
        if (took > SLOW_PAGE_MS) level = 0;
        else if (took <= QUICK_PAGE_MS && level < PAGES.length - 1) level += 1;
        continue;
      }
      level = 0;
      if (hasReleased) {
        await this.#sync();
        continue;
      }
      if (!core.paused && (await this.#runHook(now))) continue;
      if (this.#relay.rounds !== rounds) lingered = 0;
      if (!this.#relay.isBusy || lingered >= LINGER_MS) return;
      // A batch in flight holds up nobody: whoever sends meanwhile ends the wait.
      rounds = this.#relay.rounds;
      await this.#poked(Math.min(LINGER_MS - lingered, Math.max(1, core.head() - now)));
      await core.committed();
      lingered += Math.max(1, clockNow() - now);
    }
  }

  async #runHook(now: number): Promise<boolean> {
    let hadOne = false;
    const run = this.#deliverer.runHook(now).then((had) => {
      hadOne = had;
    });
    await this.#beside(run);
    if (!hadOne) return false;
    this.#core.step();
    await this.#sync();
    return true;
  }

  /** Waits until a row is written, a batch has landed, what else is waited for is over, or time has passed. */
  async #poked(ms: number, over?: Promise<void>): Promise<void> {
    const core = this.#core;
    let cancel = (): void => {};
    const ways = [core.wake.poked()];
    if (over !== undefined) ways.push(over);
    if (ms !== NEVER) {
      ways.push(
        new Promise((resolve) => {
          cancel = after(ms, resolve);
        }),
      );
    }
    core.drainWaits = true;
    // What was raised before the wait, too: it may be a long one.
    if (core.events.areWaiting) core.tellLater();
    await Promise.race(ways).finally(() => {
      cancel();
      core.drainWaits = false;
    });
  }

  /** Waits for what runs. Beside it the outbox travels: a slow handler holds up nobody elsewhere. */
  async #beside(run: Promise<void>): Promise<void> {
    if (await overAtOnce(() => this.#core.running === undefined)) return run;
    this.#core.running?.wait();
    const state = { isOver: false };
    const over = run.finally(() => {
      state.isOver = true;
    });
    // From here on others get in.
    this.#core.envelopes.endPage();
    while (!state.isOver) {
      const now = clockNow();
      const head = this.#core.isReadable() ? this.#core.outboxHead() : NEVER;
      await this.#poked(Math.max(1, head - now), over);
      await Promise.race([this.#core.committed(), over]);
      if (!state.isOver) this.#relay.start();
    }
    return over;
  }

  /** The next due items, recurrences and messages together, in the order of (due, id). */
  #page(now: number, count: number): Item[] {
    const core = this.#core;
    const messages = core.envelopes.due(now, count, PAGE_UNITS);
    const recurrences = core.recurrences.due(now, count, PAGE_UNITS);
    core.selectedUntil = messages.at(-1)?.due ?? now;
    const items: Item[] = messages.map((row) => ({ row, present: undefined }));
    if (recurrences.length === 0) return items;
    // Either list may have been cut by its size; and what is taken up may move behind a recurrence that
    // was left out, because of the count, when it was read.
    const planned = recurrences.map((row) => presentEnvelope(row, row.next_due ?? row.planned));
    const last = planned.length === count ? planned.at(-1) : cutOf(planned, PAGE_UNITS);
    const cuts = [cutOf(messages, PAGE_UNITS), last];
    for (const row of recurrences) {
      const present = takeUp(core, row, this.#backlogs);
      if (present === undefined || present.next_due === null) continue;
      items.push({ row: presentEnvelope(present, present.next_due), present });
    }
    core.selectedUntil = now;
    return items
      .filter(({ row }) => !isBehind(row, cuts))
      .sort((a, b) => compareDue(a.row, b.row))
      .slice(0, count);
  }

  /** Delivers item after item, up to anything that makes the rest of the page stale. */
  async #deliverPage(page: readonly Item[], suspiciousUntil: number): Promise<void> {
    const core = this.#core;
    const { generation } = core;
    const startedAt = clockNow();
    try {
      for (const item of page) {
        const now = clockNow();
        const isSuspicious = item.row.due <= suspiciousUntil;
        if (now - startedAt > SLOW_PAGE_MS || this.#deliverer.mustSyncBefore(item, isSuspicious)) return;
        const done = this.#deliverer.deliver(item, isSuspicious, now);
        if (done !== undefined) {
          await this.#beside(done);
          if (this.#isInterrupted()) return;
        }
        // Something else than an ack has changed the rows: what was selected may no longer be next.
        if (core.generation !== generation) return;
      }
    } finally {
      core.envelopes.endPage();
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
    await this.#beside(this.#deliverer.runAlarm(alarm, alarm.time <= suspiciousUntil));
    core.step();
    await this.#sync();
    return true;
  }

  /** Commits what was done, lets others in, and tells. */
  async #sync(): Promise<void> {
    await this.#core.committed();
    this.#deliverer.synced();
    this.#core.events.flush();
  }

  #messagesHead(): number {
    const { envelopes, recurrences } = this.#core;
    return Math.min(envelopes.head() ?? NEVER, recurrences.head() ?? NEVER);
  }
}
