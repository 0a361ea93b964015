// A drop-in for do-taskmanager: the same names, on a mailbox.

export type {
  PointInTime,
  RecurringTask,
  SingleTask,
  Task,
  taskId,
  TaskManager,
  TaskMessages,
  TaskOptions,
  TaskProcessor,
  TM_DO_class,
  TM_DurableObject,
  TM_Env,
} from "./task.ts";
export { type TaskClass, withTaskManager } from "./wrap.ts";
