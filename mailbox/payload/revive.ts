// Owns the way back from superjson's JSON and its `meta` (format 1, with `dedupe`) to the value. It is our
// own because superjson's replaces shared references one by one in finished Maps and Sets, which changes
// their order under its feet and loses entries. Invariant: only own properties of the parsed JSON are
// replaced, so whatever a hostile `meta` names, no prototype is touched.

import type { SuperJSONResult } from "superjson";
import { forbiddenKeys } from "./check.ts";
import { ERROR, setErrorFields, superjson } from "./forms.ts";

/** What `meta` says about one place in the JSON and the places under it. */
interface Note {
  /** superjson's name for the conversion; absent where the JSON stays as it is. */
  type?: unknown;
  /** The place whose value this one shares. */
  source?: Note;
  /** The value, from the moment it exists: that of a container before its parts, so that they can refer to it. */
  built?: { readonly value: unknown };
  readonly parts: Map<string, Note>;
}

/**
 * Turns parsed JSON into the value that `meta` describes, in place where it can.
 *
 * @throws Error when `meta` is not of superjson's form
 */
export function revive(json: unknown, meta: unknown): unknown {
  const root: Note = { parts: new Map() };
  if (typeof meta !== "object" || meta === null) throw new Error('The payload\'s "meta" is no object');
  if ("values" in meta) noteValues(root, meta.values);
  if ("referentialEqualities" in meta) noteReferences(root, meta.referentialEqualities);
  return build(json, root);
}

/** A tree is `{ path: tree }`, or `[type]` or `[type, { path: tree }]` for a place that is converted. */
function noteValues(note: Note, tree: unknown): void {
  let parts = tree;
  if (Array.isArray(tree)) [note.type, parts] = tree;
  for (const [path, part] of entriesOf(parts)) noteValues(placeOf(note, path), part);
}

/** References are `{ path: [paths that share its value] }`, or `[paths that share the root, the rest]`. */
function noteReferences(root: Note, references: unknown): void {
  let others = references;
  if (Array.isArray(references)) {
    const [paths, rest] = references;
    for (const path of listOf(paths)) placeOf(root, path).source = root;
    others = rest;
  }
  for (const [path, paths] of entriesOf(others)) {
    const source = placeOf(root, path);
    for (const shared of listOf(paths)) placeOf(root, shared).source = source;
  }
}

function entriesOf(parts: unknown): [string, unknown][] {
  return typeof parts === "object" && parts !== null ? Object.entries(parts) : [];
}

function listOf(paths: unknown): string[] {
  if (!Array.isArray(paths) || !paths.every((path) => typeof path === "string")) {
    throw new Error('The payload\'s "meta" has a reference that is no path');
  }
  return paths;
}

/** The note at a path below `note`: keys parted by dots, in which a backslash makes the next character literal. */
function placeOf(note: Note, path: string): Note {
  let place = note;
  let key = "";
  const step = (): void => {
    if (forbiddenKeys.has(key)) throw new Error(`The payload's "meta" names the property "${key}"`);
    let next = place.parts.get(key);
    if (next === undefined) place.parts.set(key, (next = { parts: new Map() }));
    place = next;
    key = "";
  };
  for (let index = 0; index < path.length; index += 1) {
    const character = path.charAt(index);
    if (character === ".") step();
    else key += character === "\\" ? path.charAt((index += 1)) : character;
  }
  step();
  return place;
}

/**
 * Builds in the order in which the text was written, in which the place that is shared comes first.
 */
function build(json: unknown, note: Note | undefined): unknown {
  if (note === undefined) return json;
  if (note.source !== undefined) {
    if (note.source.built === undefined)
      throw new Error('The payload\'s "meta" refers to a place that has no value');
    return note.source.built.value;
  }
  const start = <T>(value: T): T => {
    note.built = { value };
    return value;
  };
  if (note.type === undefined) {
    start(json);
    if (typeof json === "object" && json !== null && note.parts.size > 0) {
      for (const key of Object.keys(json)) {
        const part = note.parts.get(key);
        if (part !== undefined) Reflect.set(json, key, build(Reflect.get(json, key), part));
      }
    }
    return json;
  }
  if (note.type === "set" && Array.isArray(json)) {
    const set = start(new Set());
    for (const [index, item] of json.entries()) set.add(build(item, note.parts.get(String(index))));
    return set;
  }
  if (note.type === "map" && Array.isArray(json)) {
    const map = start(new Map());
    for (const [index, entry] of json.entries()) {
      const parts = note.parts.get(String(index))?.parts;
      if (!Array.isArray(entry)) throw new Error("The text of the payload has a Map without entries");
      map.set(build(entry[0], parts?.get("0")), build(entry[1], parts?.get("1")));
    }
    return map;
  }
  if (Array.isArray(note.type) && note.type[0] === "custom" && note.type[1] === ERROR) {
    const error = start(new Error());
    const parts = Object.entries(json as object).map(([key, field]): [string, unknown] => [
      key,
      build(field, note.parts.get(key)),
    ]);
    return setErrorFields(error, parts);
  }
  // No payload of ours has the others, one of which takes a number for a size, and so much memory.
  if (Array.isArray(note.type) && note.type[0] !== "custom") {
    throw new Error(`The payload's "meta" names a conversion that is none: ${String(note.type[0])}`);
  }
  const leaf = { json, meta: { values: [note.type], v: 1 } } as SuperJSONResult;
  return start(superjson.deserialize(leaf, { inPlace: true }));
}
