import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { NoReplyAddressError, ref } from "../../actors/index.ts";
import { quiet } from "../support/batches.ts";
import { answerTo, batchCall } from "../support/hostile.ts";
import { actor, type AnyMessages, until } from "../support/scripted.ts";

interface ReplyMessages {
  answer: { text: string };
  done: void;
}

describe("G8 who sent a message", () => {
  it("is told to the receiver, which can reply: in the commit of its handler, and typed", async () => {
    const seen: unknown[] = [];
    const froms: unknown[] = [];
    const to = actor({
      receive: {
        ask: (_, delivery) => {
          froms.push(delivery.from);
          delivery.reply<ReplyMessages>("answer", { text: "42" });
          delivery.reply<ReplyMessages>("done");
        },
        fails: {
          maxAttempts: 1,
          handle: (_, delivery) => {
            delivery.reply<ReplyMessages>("done");
            throw new Error("after its reply");
          },
        },
      },
    });
    const from = actor({
      receive: {
        answer: (payload, delivery) => {
          seen.push(payload);
          froms.push(delivery.from);
        },
        done: () => void seen.push("done"),
      },
    });
    await from.inside((self) => {
      self.other(to.name).send("fails", undefined);
      self.other(to.name).send("ask", undefined);
    });
    await until(() => seen.length === 2);
    await quiet(to);
    expect(seen).toEqual([{ text: "42" }, "done"]);
    const ids = [from, to].map((box) => env.ACTORS.idFromName(box.name).toString());
    expect(froms).toEqual([
      { id: ids[0], name: from.name, className: "ScriptedActor" },
      { id: ids[1], name: to.name, className: "ScriptedActor" },
    ]);
  });

  it("is a DurableObject when its class has no name, as that of a mixin, and arrives all the same", async () => {
    const froms: unknown[] = [];
    const to = actor({ receive: { note: (_, delivery) => void froms.push(delivery.from) } });
    const name = `unnamed-${crypto.randomUUID()}`;
    await ref<AnyMessages>(env.UNNAMED, name).send("write", to.name);
    await until(() => froms.length === 1);
    const id = env.UNNAMED.idFromName(name).toString();
    expect(froms).toEqual([{ id, name, className: "DurableObject" }]);
  });

  it("has no name when its name is empty, and its messages arrive all the same", async () => {
    const froms: unknown[] = [];
    const to = actor({ receive: { note: (_, delivery) => void froms.push(delivery.from) } });
    const id = env.ACTORS.idFromName("");
    await runInDurableObject(env.ACTORS.get(id), (self) => void self.other(to.name).send("note", 1));
    await until(() => froms.length === 1);
    expect(froms).toEqual([{ id: id.toString(), className: "ScriptedActor" }]);
  });

  it("is replied to by its id, whatever name it says it has", async () => {
    const seen: string[] = [];
    const victim = actor({ receive: { answer: () => void seen.push("another") } });
    const id = env.ACTORS.newUniqueId().toString();
    actor({ receive: { answer: () => void seen.push("the sender") } }, id);
    const to = actor({
      receive: { note: (_, delivery) => void delivery.reply<AnyMessages>("answer", 1) },
    });
    const from = { id, name: victim.name, className: "ScriptedActor" };
    expect(await answerTo(to, batchCall({ sender: id, from }))).toMatchObject({ ok: true });
    await until(() => seen.length === 1);
    expect(seen).toEqual(["the sender"]);
  });

  it("is nobody for a message from a Worker, or from the actor itself", async () => {
    const errors: unknown[] = [];
    const froms: unknown[] = [];
    const box = actor({
      receive: {
        ask: (_, delivery) => {
          froms.push(delivery.from);
          try {
            delivery.reply<AnyMessages>("answer", undefined);
          } catch (error) {
            errors.push(error);
          }
        },
      },
    });
    await box.ref.send("ask", undefined);
    await box.inside((self) => self.send("ask", undefined));
    await until(() => errors.length === 2);
    expect(froms).toEqual([undefined, undefined]);
    for (const error of errors) expect(error).toBeInstanceOf(NoReplyAddressError);
  });

  it("cannot be replied to when no binding leads there", async () => {
    let error: unknown;
    const box = actor({
      receive: {
        ask: (_, delivery) => {
          try {
            delivery.reply<AnyMessages>("answer", undefined);
          } catch (thrown) {
            error = thrown;
          }
        },
      },
    });
    const stranger = { id: "f".repeat(64), className: "Elsewhere" };
    const batch = { sender: stranger.id, epoch: "e", confirmed: null, keepMs: 1_000, from: stranger };
    const id = await box.ref.sendIn("1 hour", "ask", undefined);
    const message = {
      n: 1,
      id: `${id.slice(0, 19)}zzzz${id.slice(23)}`,
      due: Date.now(),
      type: "ask",
      payload: '{"json":1}',
    };
    const answer = await box.stub().mailboxCall(
      JSON.stringify({
        v: 1,
        verb: "deliver",
        batch: { ...batch, messages: [{ ...message, immediate: true }] },
      }),
    );
    expect(JSON.parse(answer)).toMatchObject({ ok: true, value: { kind: "taken", refused: [] } });
    await until(() => error);
    expect(error).toBeInstanceOf(NoReplyAddressError);
    expect(String(error)).toContain("Elsewhere");
  });

  it("is replied to by id alone when it has no name", async () => {
    const seen: unknown[] = [];
    const id = env.ACTORS.newUniqueId();
    // A script is found under the name, or else the id.
    const nameless = actor({ receive: { answer: (payload) => void seen.push(payload) } }, id.toString());
    const stub = env.ACTORS.get(id);
    const froms: unknown[] = [];
    const to = actor({
      receive: {
        ask: (_, delivery) => {
          froms.push(delivery.from);
          delivery.reply<AnyMessages>("answer", "to an id");
        },
      },
    });
    await runInDurableObject(stub, (self) => {
      self.other(to.name).send("ask", undefined);
    });
    await until(() => seen.length === 1);
    expect(seen).toEqual(["to an id"]);
    expect(froms).toEqual([{ id: id.toString(), className: "ScriptedActor" }]);
    // And sent to by it, from an actor and from a Worker.
    await to.inside((self) => {
      self.ref(env.ACTORS, id).send("answer", "by an actor");
    });
    await ref<AnyMessages>(env.ACTORS, id).send("answer", "by a Worker");
    await until(() => seen.length === 3);
    expect(seen.toSorted()).toEqual(["by a Worker", "by an actor", "to an id"]);
    await quiet(to);
    expect(nameless.events.length).toBeGreaterThan(0);
  });
});
