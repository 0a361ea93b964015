// The chart: time for a message, on a logarithmic scale, readable in light and in dark.

import type { Result } from "./result.ts";

interface Bar {
  readonly name: string;
  readonly us: number;
  readonly kind: "floor" | "ours" | "other";
}

const WIDTH = 720;
const LEFT = 190;
const RIGHT = 70;
const ROW = 26;

/** An SVG of the works at 1,000 pending, and of the enqueueing at 5,000. */
export function chart({ enqueue, drain }: Result): string {
  const panels = [
    { title: "enqueue, 1,000 pending", bars: barsOf(enqueue.small.byPending["1000"]) },
    { title: "enqueue, 5,000 pending", bars: barsOf(enqueue.small.byPending["5000"]) },
    { title: "drain, 1,000 pending", bars: barsOf(drain.small.byPending["1000"]) },
  ];
  const most = Math.max(...panels.flatMap(({ bars }) => bars.map(({ us }) => us)));
  const decades = Math.max(1, Math.ceil(Math.log10(most)));
  const x = (us: number): number =>
    Math.max(2, (Math.log10(Math.max(us, 1)) / decades) * (WIDTH - LEFT - RIGHT));
  let y = 34;
  const parts: string[] = [];
  for (const { title, bars } of panels) {
    parts.push(`<text class="title" x="16" y="${y}">${title}</text>`);
    y += 12;
    for (const { name, us, kind } of bars) {
      const width = x(us).toFixed(1);
      parts.push(
        `<text class="name" x="${LEFT - 10}" y="${y + 15}">${name}</text>`,
        `<rect class="${kind}" x="${LEFT}" y="${y + 3}" width="${width}" height="${ROW - 8}" rx="3"/>`,
        `<text class="value" x="${LEFT + x(us) + 8}" y="${y + 15}">${us} µs</text>`,
      );
      y += ROW;
    }
    y += 30;
  }
  const grid = Array.from({ length: decades + 1 }, (_, power) => {
    const at = LEFT + x(10 ** power);
    return `<line class="grid" x1="${at}" x2="${at}" y1="40" y2="${y - 24}"/><text class="tick" x="${at}" y="${y - 8}">${10 ** power} µs</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y + 4}" role="img" aria-labelledby="t">
<title id="t">Microseconds for a message, logarithmic: floor, durable-mailbox and its neighbours</title>
<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600 }
.name { text-anchor: end }
.tick { text-anchor: middle; font-size: 11px; fill: #59636e }
.grid { stroke: #d1d9e0; stroke-width: 1 }
.floor { fill: #818b98 }
.ours { fill: #0969da }
.other { fill: #bc4c00 }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.tick { fill: #9198a1 }
.grid { stroke: #3d444d }
.floor { fill: #9198a1 }
.ours { fill: #4493f8 }
.other { fill: #db6d28 }
}
</style>
${grid.join("\n")}
${parts.join("\n")}
</svg>
`;
}

function barsOf(measured: Result["enqueue"]["small"]["byPending"][string] | undefined): Bar[] {
  if (measured === undefined) return [];
  const others = Object.entries(measured.neighbours).map(([name, { us }]): Bar => ({
    name,
    us,
    kind: "other",
  }));
  return [
    { name: "floor (no library)", us: measured.floorUs, kind: "floor" },
    { name: "durable-mailbox", us: measured.oursUs, kind: "ours" },
    ...others.sort((a, b) => a.us - b.us),
  ];
}
