// Large payloads: one at a time, and more in a row than one batch of an outbox or one page of a drain takes.

import { CLERKS } from "../actors.ts";
import type { Parcel } from "../parcel.ts";
import { other, simple } from "./parcels.ts";
import { sending } from "./scenes.ts";
import { type Kitchen, order, repeatedly, type Step } from "./steps.ts";

const LARGE = 300_000;
const IN_A_ROW = 6;

export function bulk(kitchen: Kitchen): Step[] {
  const { random } = kitchen;
  return repeatedly(kitchen, 0.5, (at, index) => {
    const actor = random.int(0, CLERKS - 1);
    const n = `l${index}`;
    const large = (number: string, to: number, more: Partial<Parcel> = {}): Parcel =>
      simple(number, to, { bulk: random.int(LARGE / 20, LARGE), ...more });
    return [
      random.weighted<() => Step>([
        [
          3,
          () => {
            const sends = [large(`${n}.0`, other(random, actor)), large(`${n}.1`, actor)];
            return { at, do: "send", parcels: [large(n, actor, { sends })] };
          },
        ],
        [
          1,
          () => {
            const to = other(random, actor);
            const parcels = Array.from({ length: IN_A_ROW }, (_, part) => large(`${n}.${part}`, to));
            return order(at, actor, sending(parcels));
          },
        ],
      ])(),
    ];
  });
}
