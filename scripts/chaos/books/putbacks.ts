// What a storage that was put back leaves of a run. Where that of all was, everything since its copy has not
// happened; where that of one was, nobody can say of what it had sent and taken.

import type { Asked, Register } from "../register.ts";
import type { Observations } from "./observations.ts";

/** Without what was taken back for all. What the runtime has printed of that time is not here in the first place. */
export function withoutTakenBack(observations: Observations): Observations {
  const spans = observations.putBacks.filter(({ actor }) => actor === undefined);
  if (spans.length === 0) return observations;
  const isVoid = (at: number): boolean => spans.some((span) => at >= span.keptAt && at <= span.at);
  const asked = <T extends Asked>(all: readonly T[]): T[] => all.filter((one) => !isVoid(one.askedAt));
  const { register, letters } = observations;
  const kept: Register = {
    sends: asked(register.sends),
    ends: asked(register.ends),
    keyCancels: asked(register.keyCancels),
    reschedules: asked(register.reschedules),
    redrives: asked(register.redrives),
    declares: asked(register.declares),
    looks: register.looks.filter(({ at }) => !isVoid(at)),
    alarms: register.alarms.filter(({ at }) => !isVoid(at)),
  };
  return { ...observations, register: kept, letters: letters.filter(({ at }) => !isVoid(at)) };
}
