// The Worker: does over HTTP what the harness asks, through refs, and answers what came of it.

import { MailboxError, type Ref, ref, UnreachableError } from "../../../actors/index.ts";
import { actorName } from "../actors.ts";
import { type ClerkMessages, placed, unplaced } from "../parcel.ts";
import type { Question, Reply } from "../testimony.ts";
import { letterSeen } from "./audit.ts";
import { Clerk, type Env } from "./clerk.ts";
import { namespaceOf } from "./environment.ts";
import { declare, entryOf, payloadOf, sendParcel } from "./sending.ts";

export { Clerk };
/** Made by a function, as a mixin is: such a class has no name. */
export const Nameless: typeof Clerk = [class extends Clerk {}][0] ?? Clerk;

export default {
  async fetch(request, env) {
    const question: Question = await request.json();
    return Response.json(await reply(question, env));
  },
} satisfies ExportedHandler<Env>;

async function reply(question: Question, env: Env): Promise<Reply> {
  try {
    return { kind: "answered", value: (await answer(question, env)) ?? null };
  } catch (error) {
    // What the library refuses has done nothing; of anything else nobody knows.
    if (error instanceof MailboxError && !(error instanceof UnreachableError))
      return { kind: "refused", code: error.code };
    return { kind: "unknown", message: error instanceof Error ? error.message : String(error) };
  }
}

async function answer(question: Question, env: Env): Promise<unknown> {
  const actor = (index: number): Ref<ClerkMessages> => ref(namespaceOf(env, index), actorName(index));
  const stub = (index: number): DurableObjectStub<Clerk> =>
    namespaceOf(env, index).getByName(actorName(index));
  switch (question.verb) {
    case "send": {
      const [first, ...more] = question.parcels;
      if (first === undefined) return [];
      const to = actor(first.to);
      if (more.length === 0) return [await sendParcel(to, first, payloadOf(first))];
      return to.sendAll(question.parcels.map((parcel) => entryOf(parcel, payloadOf(parcel))));
    }
    case "order":
      return stub(question.actor).order(question.scenes);
    case "cancel":
      return actor(question.actor).cancel(unplaced(question.id));
    case "cancelKey":
      return actor(question.actor).cancel({ type: question.kind, key: question.key });
    case "reschedule":
      return actor(question.actor).reschedule(unplaced(question.id), question.at);
    case "redrive": {
      const { id, repaired } = question;
      return actor(question.actor).redrive(unplaced(id), repaired === null ? {} : { payload: repaired });
    }
    case "redriveAll":
      return actor(question.actor).redriveAll({ ids: question.ids.map(unplaced) });
    case "purge":
      return actor(question.actor).purge(unplaced(question.id));
    case "purgeAll":
      return actor(question.actor).purgeAll({ ids: question.ids.map(unplaced) });
    case "startAlarm":
      return stub(question.actor).startAlarm(question.rounds, question.everyMs);
    case "declare":
      return declare(actor(question.rhythm.to), question.rhythm);
    case "pause":
      return actor(question.actor).pause();
    case "resume":
      return actor(question.actor).resume();
    case "stats":
      return actor(question.actor).stats();
    case "letters":
      return (await actor(question.actor).deadLetters({ limit: 50 })).items.map((letter) =>
        letterSeen(question.actor, letter),
      );
    case "pending": {
      const { items } = await actor(question.actor).pending({ type: "tick", limit: 1_000 });
      return items.map(({ id, recurrence = "" }) => ({
        id: placed(question.actor, id),
        recurrence: placed(question.actor, recurrence),
      }));
    }
    case "whereabouts":
      return stub(question.actor).id.toString();
    case "audit":
      return stub(question.actor).audit();
  }
}
