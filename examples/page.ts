// The page at `/`: what can be called, as lines for the shell.

import { html, raw } from "hono/html";
import { chapters, curlOf } from "./calls.ts";

const style = `
  :root { color-scheme: light dark; --line: light-dark(#d9d9d4, #3a3a3f); --soft: light-dark(#f4f4f0, #232327);
    --quiet: light-dark(#5c5c58, #a5a5ab); --accent: light-dark(#a8410f, #f0a270); }
  body { font: 16px/1.55 system-ui, sans-serif; max-width: 52rem; margin: 0 auto; padding: 3rem 1.25rem 4rem;
    background: light-dark(#fdfdfb, #18181b); color: light-dark(#1c1c1a, #ececee); }
  h1 { font-size: 1.7rem; margin: 0 0 .4rem; letter-spacing: -.01em; }
  h2 { font-size: 1.15rem; margin: 2.6rem 0 .3rem; color: var(--accent); }
  p { margin: .3rem 0 1rem; color: var(--quiet); }
  dt { margin-top: .9rem; }
  dd { margin: .25rem 0 0; }
  pre { margin: 0; padding: .6rem .8rem; background: var(--soft); border: 1px solid var(--line); border-radius: 6px;
    white-space: pre-wrap; overflow-wrap: anywhere; font: 13.5px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
`;

/** @param origin where the Worker is reached, so that the lines work when pasted */
export function page(origin: string): ReturnType<typeof html> {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <link rel="icon" href="data:," />
        <title>durable-mailbox: examples</title>
        <style>
          ${raw(style)}
        </style>
      </head>
      <body>
        <h1>durable-mailbox</h1>
        <p>Four examples run here. Paste the lines into a shell, from top to bottom.</p>
        ${chapters(origin).map(
          (chapter) => html`
            <h2>${chapter.title}</h2>
            <p>${chapter.text}</p>
            <dl>
              ${chapter.calls.map(
                (call) => html`
                  <dt>${call.what}</dt>
                  <dd>
                    <pre><code>${curlOf(call, origin)}</code></pre>
                  </dd>
                `,
              )}
            </dl>
          `,
        )}
      </body>
    </html>`;
}
