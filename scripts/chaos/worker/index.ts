// The Worker: does over HTTP what the harness asks, through refs, and answers what came of it.

import { MailboxError, type Ref, ref, UnreachableError } from "../../../actors/index.ts";
import { type ClerkMessages, clerkName } from "../parcel.ts";
import type { Question, Reply } from "../testimony.ts";
import { letterSeen } from "./audit.ts";
import type { Env } from "./clerk.ts";
import { declare, entryOf, payloadOf, sendParcel } from "./sending.ts";

export { Clerk } from "./clerk.ts";

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
  const actor = (index: number): Ref<ClerkMessages> => ref(env.CLERKS, clerkName(index));
  switch (question.verb) {
    case "send": {
      const [first, ...more] = question.parcels;
      if (first === undefined) return [];
      const to = actor(first.to);
      if (more.length === 0) return [await sendParcel(to, first, payloadOf(first))];
      return to.sendAll(question.parcels.map((parcel) => entryOf(parcel, payloadOf(parcel))));
    }
    case "order": {
      const { parcels, declares, fails } = question;
      const stub = env.CLERKS.getByName(clerkName(question.actor));
      if (fails) return stub.orderInVain(parcels);
      return stub.order(parcels, declares);
    }
    case "cancel":
      return actor(question.actor).cancel(question.id);
    case "reschedule":
      return actor(question.actor).reschedule(question.id, question.at);
    case "redrive": {
      const { id, repaired } = question;
      return actor(question.actor).redrive(id, repaired === null ? {} : { payload: repaired });
    }
    case "redriveAll":
      return actor(question.actor).redriveAll({ ids: question.ids });
    case "purge":
      return actor(question.actor).purge(question.id);
    case "purgeAll":
      return actor(question.actor).purgeAll({ ids: question.ids });
    case "startAlarm":
      return env.CLERKS.getByName(clerkName(question.actor)).startAlarm(question.rounds, question.everyMs);
    case "declare":
      return declare(actor(question.rhythm.to), question.rhythm);
    case "pause":
      return actor(question.actor).pause();
    case "resume":
      return actor(question.actor).resume();
    case "stats":
      return actor(question.actor).stats();
    case "letters":
      return (await actor(question.actor).deadLetters({ limit: 50 })).items.map(letterSeen);
    case "pending": {
      const { items } = await actor(question.actor).pending({ type: "tick", limit: 1_000 });
      return items.map(({ id, recurrence }) => ({ id, recurrence }));
    }
    case "audit":
      return env.CLERKS.getByName(clerkName(question.actor)).audit();
  }
}
