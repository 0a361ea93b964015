import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const root = new URL("../../", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), "utf8");

/** The snippets of a document: every TypeScript block names the file that type-checks and runs it. */
function snippets(markdown: string): { file: string | undefined; code: string }[] {
  return [...markdown.matchAll(/(?:<!-- snippet: (\S+) -->\n)?```ts\n([\s\S]*?)```/g)].map(
    ([, file, code]) => ({
      file,
      code: code ?? "",
    }),
  );
}

describe("the snippets", () => {
  for (const [page, folder] of [
    ["README.md", "readme"],
    ["docs/scaling.md", "scaling"],
  ] as const) {
    it(`of ${page} are all in files that are type-checked and run by tests`, () => {
      const found = snippets(read(page));
      expect(found.length).toBeGreaterThan(1);
      for (const { file, code } of found) {
        expect(file, `this block names no file:\n${code}`).toBeDefined();
        expect(read(`test/docs/${folder}/${file}`)).toContain(code);
      }
    });
  }
});
