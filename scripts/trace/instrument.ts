// Makes a source say when each of its functions is entered and left: parses it and puts one declaration at
// the beginning of each body, on the same line, so that all else stays where it was. A function is what has
// a body of its own: a declaration, a function expression, a constructor, a method, a getter, a setter.
// An arrow function is a part of the function that it is written in, and is not counted.

import { parseAst } from "vitest/node";

const ANONYMOUS = "(anonymous)";

/** What is read of an ESTree node. */
interface Node {
  readonly type: string;
  readonly start: number;
  readonly body?: unknown;
  readonly [field: string]: unknown;
}

/** The functions of a source, and the source in which each tells of itself. */
export interface Instrumented {
  readonly code: string;
  readonly functions: readonly string[];
}

/**
 * @param file what its functions say they belong to
 * @param recorder the module whose `enter` they call
 */
export function instrument(source: string, file: string, recorder: string): Instrumented {
  const found: { readonly at: number; readonly name: string }[] = [];
  collect(parseAst(source, { lang: "ts" }) as unknown as Node, [], found);
  let code = "";
  let end = 0;
  // A function in the parameters of another is met after it, and has its body before.
  found.sort((a, b) => a.at - b.at);
  for (const { at, name } of found) {
    code += `${source.slice(end, at)} using $call = $enter(${JSON.stringify(file)}, ${JSON.stringify(name)});`;
    end = at;
  }
  code = `import { enter as $enter } from ${JSON.stringify(recorder)}; ${code}${source.slice(end)}`;
  return { code, functions: found.map(({ name }) => name) };
}

/** The parents are those around the node, the nearest last. */
function collect(node: Node, parents: readonly Node[], found: { at: number; name: string }[]): void {
  if (isFunction(node)) found.push({ at: node.body.start + 1, name: nameOf(node, parents) });
  const around = [...parents, node];
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (isNode(child)) collect(child, around, found);
    }
  }
}

/** Without a body it is a type: an overload, an abstract method, a `declare`. */
function isFunction(node: Node): node is Node & { readonly body: Node } {
  return (node.type === "FunctionDeclaration" || node.type === "FunctionExpression") && isNode(node.body);
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && "start" in value;
}

/** As a reader looks for it: `accept`, `Outbox.write`, `Outbox.#fill`, `get Outbox.waiting`. */
function nameOf(node: Node, parents: readonly Node[]): string {
  const parent = parents.at(-1);
  const own = idOf(node["id"]);
  if (own !== undefined || parent === undefined) return own ?? ANONYMOUS;
  const key = idOf(parent["key"]) ?? ANONYMOUS;
  if (parent.type !== "MethodDefinition" && parent.type !== "PropertyDefinition")
    return `${accessor(parent)}${key}`;
  const owner = parents.findLast(({ type }) => type === "ClassDeclaration" || type === "ClassExpression");
  return `${accessor(parent)}${idOf(owner?.["id"]) ?? ANONYMOUS}.${key}`;
}

function accessor({ kind }: Node): string {
  return kind === "get" || kind === "set" ? `${kind} ` : "";
}

function idOf(node: unknown): string | undefined {
  if (!isNode(node)) return undefined;
  const name = node["name"] ?? node["value"];
  if (typeof name !== "string") return undefined;
  return node.type === "PrivateIdentifier" ? `#${name}` : name;
}
