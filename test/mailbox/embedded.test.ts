import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { ref, UnknownTypeError } from "../../actors/index.ts";
import type { Room, RoomMessages } from "../support/room.ts";
import { until } from "../support/scripted.ts";

const stubOf = (name: string): DurableObjectStub<Room> => env.ROOMS.get(env.ROOMS.idFromName(name));

describe("a mailbox in a Durable Object that is no actor", () => {
  it("is reached by a ref, typed by the class or by a map", async () => {
    await ref(env.ROOMS, "typed").send("open", { topic: "by the class" });
    await ref<RoomMessages>(env.ROOMS, "typed").send("open", { topic: "by the map" });
    const seen = await until(async () => {
      const found = await stubOf("typed").sightings();
      return found.length === 2 ? found : undefined;
    });
    expect(seen).toEqual(['"by the class"', '"by the map"']);
    const { items } = await ref(env.ROOMS, "typed").pending();
    expect(items.map((item) => item.type)).toEqual(["close", "close"]);
  });

  it("has every verb at once inside the object", async () => {
    await runInDurableObject(stubOf("inside"), (room) => {
      const id = room.mailbox.sendIn("1 hour", "close");
      expect(room.mailbox.get(id)).toMatchObject({ type: "close", payload: undefined });
      expect(room.mailbox.cancel(id)).toBe(true);
      expect(room.mailbox.stats().pending).toBe(0);
    });
  });

  it("runs the object's own alarm beside its messages", async () => {
    const stub = stubOf("alarm");
    await stub.setAlarmIn(700);
    await ref(env.ROOMS, "alarm").send("open", { topic: "first" });
    await until(async () => (await stub.sightings()).length === 2);
    expect(await stub.sightings()).toEqual(['"first"', '["alarm",false]']);
    await runInDurableObject(stub, async (_, state) => expect(await state.storage.getAlarm()).toBeNull());
  });

  it("refuses what its handlers do not know, with the same typed errors", async () => {
    await expect(ref<{ nope: void }>(env.ROOMS, "refusing").send("nope")).rejects.toThrow(UnknownTypeError);
  });
});
