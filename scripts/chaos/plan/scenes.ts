// Scenes that parts of the plan have in common.

import type { Act, Parcel, Scene } from "../parcel.ts";

export function doing(...acts: readonly Act[]): Extract<Scene, { within: "nothing" }> {
  return { within: "nothing", acts };
}

export function sending(parcels: readonly Parcel[]): Extract<Scene, { within: "nothing" }> {
  return doing(...parcels.map((parcel): Act => ({ do: "send", parcel })));
}
