// The rules of the architecture that no built-in lint rule can tell, as an oxlint plugin. Which file a
// rule holds for, and which one is its exception, is written in .oxlintrc.json; that each one bites is
// proved by prove.ts.
import { readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";

/** What the rules read of an ESTree node. */
interface Node {
  readonly type: string;
  readonly parent?: Node | null;
  readonly name?: unknown;
  readonly value?: unknown;
  readonly computed?: boolean;
  readonly object?: Node;
  readonly property?: Node;
  readonly callee?: Node;
  readonly properties?: readonly Node[];
  readonly key?: Node;
  readonly source?: Node | null;
  readonly argument?: Node;
  readonly left?: Node;
  readonly right?: Node;
  readonly operator?: string;
}

interface Context {
  readonly cwd: string;
  readonly filename: string;
  report(problem: { node: Node; message: string }): void;
}

type Visitor = Readonly<Record<string, (node: Node) => void>>;

interface Rule {
  create(context: Context): Visitor;
}

const alarmCalls: ReadonlySet<string> = new Set(["setAlarm", "getAlarm", "deleteAlarm"]);

/** Folders from the lowest to the highest; a file may import from its own and from lower ones. */
const layers: readonly string[] = ["mailbox", "actors", "taskmanager", "examples", "test"];

/**
 * The ground, the rooms and the door of `mailbox/`, from the lowest to the highest. A room may import from
 * itself and from lower ones. `door` names the only files by which higher ones come in; without it, all are.
 */
const rooms: readonly { readonly name: string; readonly door?: readonly string[] }[] = [
  { name: "json.ts" },
  { name: "errors.ts" },
  { name: "input.ts" },
  { name: "time", door: ["clock.ts", "duration.ts", "rule.ts"] },
  { name: "payload", door: ["codec.ts"] },
  { name: "message" },
  { name: "store" },
  { name: "host" },
  { name: "lifecycle" },
  { name: "outbox", door: ["outbox.ts", "relay.ts", "inbox.ts", "address.ts"] },
  { name: "delivery", door: ["drain.ts", "deliver.ts"] },
  { name: "verbs" },
  { name: "mailbox.ts" },
  { name: "index.ts" },
  { name: "internal.ts" },
];

/** What the other folders may import of `mailbox/`: what everybody gets, and what only they do. */
const entries: readonly string[] = ["index.ts", "internal.ts"];

/** Platform modules that a layer may import, beside the dependencies in package.json. */
const platform: Readonly<Record<string, readonly string[]>> = {
  mailbox: ["node:async_hooks", "node:diagnostics_channel"],
  actors: ["node:async_hooks", "node:diagnostics_channel", "cloudflare:workers"],
  taskmanager: [],
};

/** SQL is run by the store alone, so that there is one place to read for what is in the tables. */
const sqlOnlyInStore: Rule = {
  create: (context) => ({
    MemberExpression(node) {
      if (memberName(node) === "exec")
        report(context, node, "`.exec` is only for the store (a RegExp: use `match` or `matchAll`).");
    },
    ObjectPattern(node) {
      if (takesOut(node, (name) => name === "exec")) report(context, node, "`exec` is only for the store.");
    },
  }),
};

/** The one alarm of an object is set by the wake alone. To define members of these names is fine. */
const alarmOnlyInWake: Rule = {
  create: (context) => ({
    CallExpression(node) {
      for (const name of calledNames(node.callee)) {
        if (alarmCalls.has(name)) report(context, node, `Only the wake may call \`${name}\`.`);
      }
    },
    ObjectPattern(node) {
      if (takesOut(node, (name) => alarmCalls.has(name)))
        report(context, node, "Only the wake may take alarm functions.");
    },
  }),
};

/** Time enters once, by the clock. As a type, and in `instanceof Date`, `Date` is free. */
const timeOnlyInClock: Rule = {
  create: (context) => ({
    Identifier(node) {
      if (node.name === "Date" && isValue(node))
        report(context, node, "`Date` as a value is only for the clock.");
    },
  }),
};

/** `export *` hides what a module offers, and lets a name slip out unseen. */
const noExportAll: Rule = {
  create: (context) => ({
    ExportAllDeclaration(node) {
      report(context, node, "Name what is exported; no `export *`.");
    },
  }),
};

/** A visitor of whatever names another module: imports, re-exports, dynamic imports, imports of types. */
function everyImport(check: (node: Node, source: Node | null | undefined) => void): Visitor {
  const visit = (node: Node): void => check(node, node.source);
  return {
    ImportDeclaration: visit,
    ExportNamedDeclaration: visit,
    ExportAllDeclaration: visit,
    ImportExpression: visit,
    TSImportType: visit,
  };
}

/** Imports go down the layers, and to declared dependencies only. */
const importsDownwards: Rule = {
  create(context) {
    const layer = layerOf(context.cwd, context.filename);
    const allowed = layer === undefined ? undefined : platform[layer];
    const check = (node: Node, source: Node | null | undefined): void => {
      if (layer === undefined) return;
      if (typeof source?.value !== "string") {
        if (source != null)
          report(context, node, "A module's name must be written out, so that its layer can be seen.");
        return;
      }
      const name = source.value;
      if (!name.startsWith(".")) {
        if (
          allowed !== undefined &&
          !allowed.includes(name) &&
          !dependencies(context.cwd).has(packageName(name))
        ) {
          report(context, node, `${layer}/ may not import "${name}".`);
        }
        return;
      }
      const path = resolve(dirname(context.filename), name);
      const target = layerOf(context.cwd, path);
      if (target === undefined || layers.indexOf(target) > layers.indexOf(layer)) {
        report(
          context,
          node,
          `${layer}/ may not import "${name}": imports go ${layers.toReversed().join(" -> ")}.`,
        );
      }
    };
    return everyImport(check);
  },
};

/** Inside `mailbox/` a room imports only rooms below it, by their doors; from outside, only the entries are open. */
const roomsDownwards: Rule = {
  create(context) {
    const [layer, ...own] = partsOf(context.cwd, context.filename);
    const check = (node: Node, source: Node | null | undefined): void => {
      const name = source?.value;
      if (typeof name !== "string" || !name.startsWith(".")) return;
      const [folder, ...path] = partsOf(context.cwd, resolve(dirname(context.filename), name));
      if (folder !== "mailbox") return;
      const problem = layer === "mailbox" ? climb(own, path) : bypass(path);
      if (problem !== undefined) report(context, node, `"${name}": ${problem}`);
    };
    return everyImport(check);
  },
};

/** What is wrong with an import from one file of `mailbox/` to another, both as parts of their paths. */
function climb(from: readonly string[], to: readonly string[]): string | undefined {
  const [own, other] = [from, to].map(([name]) => rooms.findIndex((room) => room.name === name));
  const room = other === undefined ? undefined : rooms[other];
  if (own === undefined || own < 0)
    return `mailbox/${from[0]} is no room: name it in scripts/lint/architecture.ts.`;
  if (other === undefined || room === undefined)
    return `mailbox/${to[0]} is no room: name it in scripts/lint/architecture.ts.`;
  if (other > own) return `the room ${room.name} is above ${from[0]}; rooms import only rooms below them.`;
  if (other < own && room.door !== undefined && !room.door.includes(to.slice(1).join("/")))
    return `the door of ${room.name} is ${room.door.join(", ")}.`;
  return undefined;
}

function bypass([entry]: readonly string[]): string | undefined {
  return entry !== undefined && entries.includes(entry)
    ? undefined
    : `from outside, mailbox/ is imported by ${entries.join(" or ")}.`;
}

export default {
  meta: { name: "architecture" },
  rules: {
    "sql-only-in-store": sqlOnlyInStore,
    "alarm-only-in-wake": alarmOnlyInWake,
    "time-only-in-clock": timeOnlyInClock,
    "no-export-all": noExportAll,
    "imports-downwards": importsDownwards,
    "rooms-downwards": roomsDownwards,
  },
};

function report(context: Context, node: Node, message: string): void {
  context.report({ node, message });
}

/** `a.b` and `a["b"]` are both `b`; `#b` is another name. */
function memberName(node: Node | undefined): string | undefined {
  const property = node?.property;
  if (property === undefined) return undefined;
  if (node?.computed === true) return typeof property.value === "string" ? property.value : undefined;
  return property.type === "Identifier" ? String(property.name) : undefined;
}

/** The names by which a call reaches its function: `f()`, `a.f()`, `a.f.call()`. */
function calledNames(callee: Node | undefined): readonly string[] {
  const inner = callee?.type === "ChainExpression" ? undefined : callee;
  if (inner?.type === "Identifier") return [String(inner.name)];
  const name = memberName(inner);
  const owner = memberName(inner?.object);
  const viaOwner = owner !== undefined && (name === "call" || name === "apply" || name === "bind");
  return [...(name === undefined ? [] : [name]), ...(viaOwner ? [owner] : [])];
}

/** Whether `{ name } = …` takes a member out of an object. */
function takesOut(pattern: Node, matches: (name: string) => boolean): boolean {
  return (pattern.properties ?? []).some(
    ({ type, key }) =>
      type === "Property" && matches(String(key?.type === "Identifier" ? key.name : key?.value)),
  );
}

function isValue(node: Node): boolean {
  const parent = node.parent;
  if (parent == null) return true;
  if (
    parent.type.startsWith("TS") &&
    !["TSAsExpression", "TSNonNullExpression", "TSSatisfiesExpression"].includes(parent.type)
  ) {
    return false;
  }
  switch (parent.type) {
    case "BinaryExpression":
      return !(parent.operator === "instanceof" && parent.right === node);
    case "MemberExpression": {
      // `globalThis.Date` is a value, `Intl.Date` is none of ours.
      if (parent.property !== node || parent.computed === true) return true;
      return (
        parent.object?.type === "Identifier" && ["globalThis", "self"].includes(String(parent.object.name))
      );
    }
    case "Property":
    case "MethodDefinition":
    case "PropertyDefinition":
      return parent.computed === true || parent.key !== node || parent.value === node;
    default:
      return true;
  }
}

function partsOf(root: string, file: string): string[] {
  return relative(root, file).split(sep);
}

function layerOf(root: string, file: string): string | undefined {
  const [folder] = partsOf(root, file);
  return folder !== undefined && layers.includes(folder) ? folder : undefined;
}

function packageName(specifier: string): string {
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}

const read = new Map<string, ReadonlySet<string>>();

function dependencies(root: string): ReadonlySet<string> {
  const known = read.get(root);
  if (known !== undefined) return known;
  const { dependencies: declared }: { dependencies?: object } = JSON.parse(
    readFileSync(join(root, "package.json"), "utf8"),
  );
  const names = new Set(Object.keys(declared ?? {}));
  read.set(root, names);
  return names;
}
