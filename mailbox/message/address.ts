// The text by which a row of the outbox names its target, for as long as the row is there, and what a person
// reads of it.

import { isAbsentOr, isText, readColumn } from "../json.ts";

/** A namespace by its binding, an actor in it by name or id, and its jurisdiction, if it has one. */
type Address = [space: string, by: "name" | "id", name: string, jurisdiction?: string];

export function formatAddress(...address: Address): string {
  return JSON.stringify(address);
}

/** Undefined for a text that is none. */
export function parseAddress(text: string): Address | undefined {
  return readColumn(text, isAddress);
}

/** `CARTS/cart-42`, or `CARTS/cart-42 (eu)`; the text itself where it is no address. */
export function readableAddress(text: string): string {
  const address = parseAddress(text);
  if (address === undefined) return text;
  const [space, , name, jurisdiction] = address;
  const where = jurisdiction === undefined ? "" : ` (${jurisdiction})`;
  return `${space.slice(space.indexOf(":") + 1)}/${name}${where}`;
}

function isAddress(value: unknown): value is Address {
  return (
    Array.isArray(value) &&
    value.slice(0, 3).every(isText) &&
    value.length >= 3 &&
    isAbsentOr(value[3], isText)
  );
}
