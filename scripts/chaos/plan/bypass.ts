// Transactions by a handle on storage that was taken before there was a mailbox: what is rolled back in them is
// so behind its back, and what it remembers is no longer what is stored. It must find out when it is next woken.

import { BYPASSER, CLERKS, SHAKY } from "../actors.ts";
import { makeParcel, simple } from "./parcels.ts";
import { doing, sending } from "./scenes.ts";
import { type Kitchen, order, repeatedly, type Step } from "./steps.ts";
import { inTransaction } from "./transactions.ts";

const WAIT_MS = 500;

export function bypass(kitchen: Kitchen): Step[] {
  const { random } = kitchen;
  return repeatedly(kitchen, 1, (at, index) => {
    const n = `y${index}`;
    const to = random.int(0, CLERKS - 1);
    const victim = simple(`${n}.1`, random.pick([to, ...SHAKY]));
    const touch: Step = { at: at + 1_500, do: "touch", actor: BYPASSER };
    return random.weighted<() => readonly Step[]>([
      [2, () => [order(at, BYPASSER, sending([makeParcel(random, n, to, [], BYPASSER)]))]],
      [
        3,
        () => {
          const kinds = ["captured transaction", "captured transactionSync"] as const;
          return [order(at, BYPASSER, ...inTransaction(random, n, BYPASSER, WAIT_MS, kinds)), touch];
        },
      ],
      [
        2,
        // A message that waits behind a batch, and is taken out in vain.
        () => [
          order(
            at,
            BYPASSER,
            sending([simple(`${n}.0`, victim.to)]),
            doing({ do: "wait", ms: 50 }),
            sending([victim]),
            {
              within: "captured transaction",
              isTakenBack: true,
              acts: [{ do: "cancel there", n: victim.n, to: victim.to }],
            },
          ),
          touch,
        ],
      ],
    ])();
  });
}
