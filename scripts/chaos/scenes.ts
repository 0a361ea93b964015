// What follows from a scene, for whoever checks it.

import { type Parcel, type Scene, sendsOf } from "./parcel.ts";

/** What a scene sends, each commit by itself: outside a transaction whatever waits ends one. */
export function commitsOf(scene: Scene): readonly (readonly Parcel[])[] {
  if (scene.within !== "nothing") return withSome([sendsOf(scene)]);
  const commits: Parcel[][] = [[]];
  for (const act of scene.acts) {
    if (act.do === "send") commits.at(-1)?.push(act.parcel);
    else if (act.do === "wait" || act.do === "cancel there" || act.do === "end there") commits.push([]);
  }
  return withSome(commits);
}

function withSome(commits: readonly (readonly Parcel[])[]): readonly (readonly Parcel[])[] {
  return commits.filter((parcels) => parcels.length > 0);
}
