// Being written by the helper of G10-G13 and keys.
import { it } from "vitest";

it.todo("is being written");
