// The Worker of the tests in workerd: the actor classes that they script.

import type { Cart, Digest, Endpoint, Mailer } from "../../examples/worker.ts";
import type { Cart as ReadmeCart } from "../docs/readme/cart.ts";
import type { Feed, Orders, User } from "../docs/scaling/feed.ts";
import type { AlarmField, ReservedAccessor, ReservedField, ReservedMethod } from "./reserved.ts";
import type { Room } from "./room.ts";
import type { ScriptedActor } from "./scripted.ts";
import type { TaskNamespaces } from "./tasks.ts";
import type { Plain, Unmakeable } from "./plain.ts";
import type { KeyValueActor, NoAlarm } from "./unfit.ts";
import type { Unnamed } from "./unnamed.ts";

export { Cart, Digest, Endpoint, Mailer, Trial } from "../../examples/worker.ts";
export { Cart as ReadmeCart } from "../docs/readme/cart.ts";
export { Feed, Orders, User } from "../docs/scaling/feed.ts";
export { AlarmField, ReservedAccessor, ReservedField, ReservedMethod } from "./reserved.ts";
export { Room } from "./room.ts";
export { ScriptedActor } from "./scripted.ts";
export {
  ExtendedTasks,
  FieldTasks,
  LegacyTasks,
  ModernTasks,
  NoAlarmTasks,
  ProxiedTasks,
  TwiceTasks,
} from "./tasks.ts";
export { Plain, Unmakeable } from "./plain.ts";
export { KeyValueActor, NoAlarm } from "./unfit.ts";
export { Unnamed } from "./unnamed.ts";

// What `env` of "cloudflare:workers" holds in the tests: the same as in test/wrangler.toml.
declare global {
  namespace Cloudflare {
    interface Env extends TaskNamespaces {
      readonly README_CARTS: DurableObjectNamespace<ReadmeCart>;
      readonly FEEDS: DurableObjectNamespace<Feed>;
      readonly USERS: DurableObjectNamespace<User>;
      readonly ORDERS: DurableObjectNamespace<Orders>;
      readonly ENDPOINTS: DurableObjectNamespace<Endpoint>;
      readonly CARTS: DurableObjectNamespace<Cart>;
      readonly MAILERS: DurableObjectNamespace<Mailer>;
      readonly DIGESTS: DurableObjectNamespace<Digest>;
      readonly TRIALS: DurableObjectNamespace;
      readonly TRIAL_DAY_MS: string;
      readonly ROOMS: DurableObjectNamespace<Room>;
      readonly ReservedMethod: DurableObjectNamespace<ReservedMethod>;
      readonly ReservedAccessor: DurableObjectNamespace<ReservedAccessor>;
      readonly ReservedField: DurableObjectNamespace<ReservedField>;
      readonly AlarmField: DurableObjectNamespace<AlarmField>;
      readonly PLAIN: DurableObjectNamespace<Plain>;
      readonly UNMAKEABLE: DurableObjectNamespace<Unmakeable>;
      readonly NoAlarm: DurableObjectNamespace<NoAlarm>;
      readonly KeyValueActor: DurableObjectNamespace<KeyValueActor>;
      readonly UNNAMED: DurableObjectNamespace<InstanceType<typeof Unnamed>>;
      /** How the model test runs, from the shell's variables. */
      readonly MODEL: Readonly<Partial<Record<`MODEL_${"RUNS" | "SEED" | "PATH" | "REPLAY"}`, string>>>;
      readonly ACTORS: DurableObjectNamespace<ScriptedActor>;
    }
  }
}

export default {
  fetch: () => new Response("durable-mailbox tests"),
} satisfies ExportedHandler<Cloudflare.Env>;
