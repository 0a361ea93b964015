// A Durable Object as it was written for do-taskmanager. Only the first import has changed: it was
// from "do-taskmanager", and is from "durable-mailbox/taskmanager" in a project of one's own.

import {
  type Task,
  type TaskManager,
  type TM_DurableObject,
  withTaskManager,
} from "../../taskmanager/index.ts";

interface Env {
  TASK_MANAGER: TaskManager;
  /** How long a day of a trial is, in milliseconds. */
  TRIAL_DAY_MS: string;
}

interface Line {
  at: number;
  what: string;
}

/** The free trial of one customer: mails at their times, a report each day, and an end. */
class TrialObject implements TM_DurableObject {
  private readonly storage: DurableObjectStorage;
  private readonly env: Env;

  constructor(state: DurableObjectState, env: Env) {
    this.storage = state.storage;
    this.env = env;
  }

  async fetch(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname.endsWith("/start")) await this.start();
    if (pathname.endsWith("/buy")) await this.buy();
    // All tasks and the alarm go with it.
    if (pathname.endsWith("/close")) await this.storage.deleteAll();
    return Response.json({
      state: (await this.storage.get("state")) ?? "none",
      endsAt: await this.storage.getAlarm(),
      log: (await this.storage.get<Line[]>("log")) ?? [],
    });
  }

  private async start(): Promise<void> {
    const tasks = this.env.TASK_MANAGER;
    const day = Number(this.env.TRIAL_DAY_MS);
    await this.storage.put("state", "running");
    // The mail server is busy now and then, so this one is tried again soon.
    await tasks.scheduleTaskIn(0, { mail: "Welcome" }, { retryInterval: day / 4 });
    const reminder = await tasks.scheduleTaskAt(new Date(Date.now() + 2 * day), { mail: "One day left" });
    const report = await tasks.scheduleTaskEvery(day, { report: "usage" });
    await this.storage.put({ reminder, report });
    await this.storage.setAlarm(Date.now() + 3 * day);
  }

  private async buy(): Promise<void> {
    const reminder = await this.storage.get<string>("reminder");
    if (reminder !== undefined) await this.env.TASK_MANAGER.cancelTask(reminder);
    await this.storage.deleteAlarm();
    await this.storage.put("state", "bought");
  }

  async processTask(task: Task): Promise<void> {
    if (task.type === "RECURRING") return this.log(`report: ${task.context.report}`);
    if (task.context.mail === "Welcome" && task.attempt === 1) throw new Error("The mail server is busy.");
    const after = task.previousError === undefined ? "" : `, after: ${task.previousError.message}`;
    return this.log(`mail: ${task.context.mail}${after}`);
  }

  async alarm(): Promise<void> {
    const report = await this.storage.get<string>("report");
    if (report !== undefined) await this.env.TASK_MANAGER.cancelTask(report);
    await this.storage.put("state", "ended");
    await this.log("the trial has ended");
  }

  private async log(what: string): Promise<void> {
    const lines = (await this.storage.get<Line[]>("log")) ?? [];
    await this.storage.put("log", [...lines, { at: Date.now(), what }]);
  }
}

export const Trial = withTaskManager(TrialObject);
