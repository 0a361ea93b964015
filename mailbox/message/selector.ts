// Which message a verb means: by id, or by type and key.

import { isName } from "./check.ts";
import { isIdLength } from "./id.ts";

/** Which message, parsed. */
export type Target = { readonly id: string } | { readonly type: string; readonly key: string };

/** Reads the first argument of these verbs; undefined for what cannot name any message. */
export function parseTarget(which: unknown): Target | undefined {
  if (typeof which === "string") return isIdLength(which) ? { id: which } : undefined;
  if (typeof which !== "object" || which === null || !("type" in which) || !("key" in which))
    return undefined;
  const { type, key } = which;
  return isName(type) && isName(key) ? { type, key } : undefined;
}

/** Whether a send that still waits in memory is the one that is meant. */
export function isTarget(
  message: { readonly id: string; readonly type: string; readonly key?: string },
  target: Target,
): boolean {
  return "id" in target
    ? message.id === target.id
    : message.type === target.type && message.key === target.key;
}
