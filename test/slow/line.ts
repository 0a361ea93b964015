// What the Workers of test/slow/worker print, a line of JSON each.

export type Line =
  | { readonly line: "made"; readonly version: number }
  | { readonly line: "ran"; readonly text: string; readonly attempt: number; readonly leased: number }
  | { readonly line: "told"; readonly event: string }
  /** Of a Tail Worker: what was published on a channel. */
  | { readonly line: "tailed"; readonly channel: string; readonly message: unknown };
