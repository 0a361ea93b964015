// Owns the superjson instance of payloads, and how it carries what superjson itself would not carry
// whole: binary data (superjson writes each element as a number, and NaN as null) and errors (it drops
// the stack and own fields). Nothing is registered on superjson's shared instance.

import { SuperJSON } from "superjson";

/** In the text, an error's fields are under the name `["custom", ERROR]`. */
export const ERROR = "Error";
const BINARY = "binary";

const views = {
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float16Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  DataView,
} as const;

/** Whether a name is that of a class that `BINARY` carries. */
export function isBinaryClass(name: string): boolean {
  return name === "ArrayBuffer" || Object.hasOwn(views, name);
}

/** The name of the built-in class that an object is of; a subclass answers its base. */
export function builtinName(value: object): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}

/**
 * With `dedupe` a second reference is written as null and only its path tells: superjson without it
 * writes the object again, and for some cycles answers text from which they cannot be restored.
 */
export const superjson: SuperJSON = new SuperJSON({ dedupe: true });

/**
 * The same without the forms below: equal text for a payload that has none of them, in less time,
 * because superjson asks each form about each value.
 */
export const plainSuperjson: SuperJSON = new SuperJSON({ dedupe: true });

type Binary = ArrayBuffer | ArrayBufferView;

superjson.registerCustom<Binary, [name: string, base64: string]>(
  {
    isApplicable: (value): value is Binary => value instanceof ArrayBuffer || ArrayBuffer.isView(value),
    serialize: (value) => [builtinName(value), toBase64(bytesOf(value))],
    deserialize: ([name, base64]) => fromBytes(name, fromBase64(base64)),
  },
  BINARY,
);

superjson.registerCustom<Error, { [field: string]: string }>(
  {
    isApplicable: (value): value is Error => value instanceof Error,
    // superjson goes on into the fields, so they may be anything that it carries; its type does not say so.
    serialize: (value) => errorFields(value) as { [field: string]: string },
    deserialize: (fields) => setErrorFields(new Error(), Object.entries(fields)),
  },
  ERROR,
);

/** What is carried of an error: these wherever they stand, and its own enumerable properties. */
const errorProperties: readonly string[] = ["name", "message", "stack", "cause", "errors"];

/** The fields of an error, by name. */
export function errorFields(error: Error): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const name of errorProperties) {
    if (name === "name" || name === "message" || Object.hasOwn(error, name))
      fields[name] = Reflect.get(error, name);
  }
  for (const [name, value] of Object.entries(error)) fields[name] = value;
  return fields;
}

/** Gives an error the fields that `errorFields` read. */
export function setErrorFields(
  error: Error,
  fields: Iterable<readonly [name: string, value: unknown]>,
): Error {
  for (const [name, value] of fields) {
    const enumerable = !errorProperties.includes(name);
    Object.defineProperty(error, name, { value, enumerable, writable: true, configurable: true });
  }
  return error;
}

function bytesOf(value: Binary): Uint8Array {
  return ArrayBuffer.isView(value)
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    : new Uint8Array(value);
}

function fromBytes(name: string, bytes: Uint8Array<ArrayBuffer>): Binary {
  if (name === "ArrayBuffer") return bytes.buffer;
  if (!Object.hasOwn(views, name))
    throw new Error(`The text of the payload has binary data of class ${name}`);
  const View = views[name as keyof typeof views] as new (buffer: ArrayBuffer) => ArrayBufferView;
  return new View(bytes.buffer);
}

function toBase64(bytes: Uint8Array): string {
  // In slices, because each byte becomes an argument, and a call takes only so many.
  let binary = "";
  for (let start = 0; start < bytes.length; start += 8192) {
    binary += String.fromCharCode(...bytes.subarray(start, start + 8192));
  }
  return btoa(binary);
}

function fromBase64(base64: string): Uint8Array<ArrayBuffer> {
  const binary = atob(base64);
  const bytes = new Uint8Array(binary.length);
  for (let index = 0; index < binary.length; index += 1) bytes[index] = binary.charCodeAt(index);
  return bytes;
}
