// The text that names a target in the outbox, and how the code that runs finds the target by it: with namespaces
// that write down what they are asked, because the local runtime has neither places nor jurisdictions.

import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { InvalidOptionError, ref, UnknownNamespaceError } from "../../actors/index.ts";
import { addressIn, type AnyNamespace, wayTo } from "../../mailbox/outbox/address.ts";
import { readableAddress } from "../../mailbox/message/address.ts";
import { actor, type AnyMessages, until } from "../support/scripted.ts";

/** A namespace that answers each stub with what it was asked for. */
class Witness {
  readonly #where: string;

  constructor(where = "") {
    this.#where = where;
  }

  idFromName(name: string): object {
    return { name, toString: () => `${this.#where}id of ${name}` };
  }

  idFromString(id: string): object {
    if (!id.startsWith(`${this.#where}id of `)) throw new TypeError("not mine");
    return { toString: () => id };
  }

  get(id: DurableObjectId, options?: object): object {
    return { id: id.toString(), ...options };
  }

  jurisdiction(where: string): Witness {
    return new Witness(`${where} `);
  }
}

const state = {} as DurableObjectState;
const spaces = { CARTS: new Witness(), OTHERS: new Witness("other ") };
const carts = spaces.CARTS as unknown as AnyNamespace;

function stubFor(address: string, hint?: string): unknown {
  const way = wayTo(state, spaces, address);
  return way.unbound ?? way.stub(hint);
}

describe("the address of a target", () => {
  it("is the same wherever it is to be made: a location hint says where, and not which", () => {
    const plain = addressIn(state, spaces, carts, "cart-1");
    expect(addressIn(state, spaces, carts, "cart-1", { locationHint: "weur" })).toBe(plain);
    expect(stubFor(plain)).toEqual({ id: "id of cart-1" });
    expect(stubFor(plain, "weur")).toEqual({ id: "id of cart-1", locationHint: "weur" });
  });

  it("is another in a jurisdiction, where there is another object of the name", () => {
    const address = addressIn(state, spaces, carts, "cart-1", { jurisdiction: "eu", locationHint: "weur" });
    expect(address).not.toBe(addressIn(state, spaces, carts, "cart-1"));
    expect(stubFor(address, "weur")).toEqual({ id: "eu id of cart-1", locationHint: "weur" });
    expect(readableAddress(address)).toBe("CARTS/cart-1 (eu)");
  });

  it("that no binding leads to says which one is missing", () => {
    expect(stubFor('["env:GONE","name","x"]')).toBe("The code that runs has no binding for GONE/x.");
    expect(stubFor("no address")).toBe("The code that runs has no binding for no address.");
  });

  it("whose binding leads elsewhere now says so", () => {
    expect(stubFor('["env:OTHERS","id","id of cart-1"]')).toMatch(/OTHERS.*leads to another namespace now/);
  });
});

describe("a ref", () => {
  const other = env.ROOMS.idFromName("room-1");

  it.each([
    ["an id of another namespace", other],
    ["an object that is no id", {} as DurableObjectId],
    ["a list", [] as never],
  ])("is refused %s, from a Worker and from an actor", async (_, id) => {
    expect(() => ref(env.ACTORS, id)).toThrow(InvalidOptionError);
    await actor({ receive: {} }).inside((self) => {
      expect(() => self.ref(env.ACTORS, id)).toThrow(InvalidOptionError);
      expect(self.mailbox.stats().outbox).toBe(0);
    });
  });

  it.each([
    ["a binding that is not there", undefined],
    ["a variable", "text"],
    ["an object that is no namespace", {}],
  ])("is refused %s", async (_, missing) => {
    const space = missing as unknown as AnyNamespace;
    expect(() => ref<AnyMessages>(space, "x")).toThrow(UnknownNamespaceError);
    expect(() => ref<AnyMessages>(space, "x")).toThrow("no such binding in env");
    await actor({ receive: {} }).inside((self) => {
      expect(() => self.ref<AnyMessages>(space, "x")).toThrow("no such binding in env");
    });
  });
});

describe("messages to one actor by refs with and without a location hint", () => {
  it("are on one route: they keep their order, and each ref finds those of the other", async () => {
    const seen: unknown[] = [];
    const to = actor({ receive: { note: (payload) => void seen.push(payload) } });
    const from = actor({ receive: {} });
    await from.inside(async (self) => {
      const plain = self.ref<AnyMessages>(env.ACTORS, to.name);
      const hinted = self.ref<AnyMessages>(env.ACTORS, to.name, { locationHint: "weur" });
      plain.send("note", 1);
      hinted.send("note", 2);
      const dropped = hinted.send("note", "dropped");
      plain.send("note", 3);
      const targets = self.realStorage.sql.exec("SELECT DISTINCT target FROM _mailbox_outbox").toArray();
      expect(targets).toHaveLength(1);
      const [found, gone] = [plain.get(dropped), plain.cancel(dropped)];
      expect(await found).toMatchObject({ payload: "dropped" });
      expect(await gone).toBe(true);
    });
    await until(() => seen.length === 3);
    expect(seen).toEqual([1, 2, 3]);
  });
});
