// Owns how errors are told to be the same failure. Invariant: the fingerprint of one failure does not
// depend on the numbers, ids and quoted values in its message, and takes linear time in the message,
// which comes from anywhere.

const MAX_LENGTH = 256;

/** What comes later in a message than this no longer tells failures apart, and need not be read. */
const MAX_READ = 4096;

// Neither can match in more than one way, so neither backtracks. An apostrophe within a word opens nothing.
const QUOTED = /"[^"]*"|`[^`]*`|(?<![\p{L}\p{N}])'[^']*'(?![\p{L}\p{N}])/gu;
const WORD = /[\p{L}\p{N}_-]+/gu;
const UUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i;

/**
 * Name and message with quoted parts, ids and numbers replaced by `<quoted>`, `<id>` and `#`; at most
 * 256 characters. Equal for errors that differ only in these.
 */
export function errorFingerprint(name: string, message: string): string {
  const text = message
    .slice(0, MAX_READ)
    .replace(QUOTED, "<quoted>")
    .replace(WORD, (word) => (isId(word) ? "<id>" : word.replace(/\d+/g, "#")))
    .replace(/#(?:[.,:]#)+/g, "#")
    .replace(/\s+/g, " ")
    .trim();
  // Cutting may halve a surrogate pair; half a one is no text that can be stored and found again.
  return (text === "" ? name : `${name}: ${text}`).slice(0, MAX_LENGTH).toWellFormed();
}

/** Whether a word with digits is made up rather than written: a UUID, hex, a nanoid, a key. */
function isId(word: string): boolean {
  // By its form, because one in many consists of digits only.
  if (UUID.test(word)) return true;
  if (word.length < 8 || !/\d/.test(word) || !/[a-z]/i.test(word)) return false;
  if (/^(?:0x)?[\da-f-]+$/i.test(word)) return true;
  if (word.length < 12) return false;
  return /\d\D+\d/.test(word) || (/[a-z]/.test(word) && /[A-Z]/.test(word));
}
