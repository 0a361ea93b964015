// What is sent, to which endpoint and when, and how the receiver will treat it: the 329 real payloads of
// GitHub's webhooks, in fixed shares, so that every run is the same.

import { createRequire } from "node:module";

/** What the receiver does with one webhook. */
export type Manner = "accept" | "slow" | "failTwice" | "busy" | "refuse";

export interface Item {
  /** The webhook-id. */
  readonly id: string;
  readonly type: string;
  readonly body: string;
  readonly endpoint: string;
  /** How long after its send it is due; 0 is at once. */
  readonly delayMs: number;
  readonly manner: Manner;
}

export const ENDPOINTS: readonly string[] = ["acme", "globex", "initech", "hooli", "umbrella", "stark"];

/** The kind that the receiver refuses until it is repaired. */
export const REFUSED_TYPE = "workflow_job";

/** The payloads, each with its place in the plan. */
export function makePlan(): readonly Item[] {
  const definitions = createRequire(import.meta.url)("@octokit/webhooks-examples") as readonly {
    readonly name: string;
    readonly examples: readonly unknown[];
  }[];
  return definitions
    .flatMap(({ name, examples }) =>
      examples.map((example) => ({ type: name, body: JSON.stringify(example) })),
    )
    .map(({ type, body }, index) => {
      const manner = mannerOf(type, index);
      return {
        id: `github-${String(index + 1).padStart(3, "0")}`,
        type,
        body,
        endpoint: ENDPOINTS[index % ENDPOINTS.length] ?? "",
        // Two thirds are due 1 to 8 seconds later. What is refused goes at once, as it takes longest to die.
        delayMs: manner !== "refuse" && index % 3 !== 0 ? 1000 * (1 + (index % 8)) : 0,
        manner,
      };
    });
}

function mannerOf(type: string, index: number): Manner {
  if (type === REFUSED_TYPE) return "refuse";
  if (index % 11 === 3) return "failTwice";
  if (index % 13 === 5) return "busy";
  if (index % 17 === 7) return "slow";
  return "accept";
}
