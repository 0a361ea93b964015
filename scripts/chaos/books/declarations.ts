// G8 and G10 between actors: what was declared to another is there, or its sender has a letter of it.

import { declaresOf, isSync, isTakenBack, type Rhythm, rhythmId, rhythmName } from "../parcel.ts";
import type { Evidence } from "./evidence.ts";
import type { Violation } from "./observations.ts";

export function* checkDeclarations(evidence: Evidence): Generator<Violation> {
  const { audits, told, letters, register } = evidence.observations;
  const there = new Set(audits.flatMap(({ recurrences }) => recurrences.map(({ id }) => id)));
  const given = new Set(
    [...letters, ...audits.flatMap((audit) => audit.letters)].map(({ n, isDeclaration }) =>
      isDeclaration === true ? n : "",
    ),
  );
  const ended = new Set([...register.ends.map(({ id }) => id), ...evidence.cancelsAskedOf.keys()]);
  for (const { rhythm, sender } of committed(evidence)) {
    const name = rhythmName(rhythm);
    const id = `every:tick:${name}`;
    // One that never ends by itself is ended by somebody, and then it is gone.
    if (there.has(id) || given.has(name) || ended.has(id)) continue;
    const letter = `${rhythmId(rhythm.key)}>${sender}`;
    if (told.some((event) => event.event === "deadLettered" && event.id?.startsWith(letter) === true))
      continue;
    yield {
      name: "lost",
      what: name,
      detail: `Expected the recurrence that clerk-${sender} has declared, or a letter of it; there is none.`,
    };
  }
}

/** Declarations of which it is known that they were made, and by whom. */
function* committed(evidence: Evidence): Generator<{ readonly rhythm: Rhythm; readonly sender: number }> {
  for (const { rhythm, actor, outcome } of evidence.observations.register.declares)
    if (outcome === "yes") yield { rhythm, sender: actor };
  for (const { parcel, done, kind } of evidence.cases.values()) {
    if (parcel === undefined || done.length === 0 || !isSync(kind)) continue;
    for (const scene of parcel.scenes ?? []) {
      if (isTakenBack(scene)) continue;
      for (const rhythm of declaresOf(scene)) yield { rhythm, sender: parcel.to };
    }
  }
}
