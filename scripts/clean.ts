// Removes dist/ before a build, so that no file of a former tree is published.
import { rmSync } from "node:fs";

rmSync(new URL("../dist", import.meta.url), { recursive: true, force: true });
