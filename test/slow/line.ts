// What the Workers of test/slow/worker print, a line of JSON each.

export type Line =
  | { readonly line: "made"; readonly version: number }
  | { readonly line: "ran"; readonly text: string; readonly attempt: number; readonly leased: number }
  | { readonly line: "told"; readonly event: string };
