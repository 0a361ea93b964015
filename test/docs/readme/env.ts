// What the README's snippets take for granted: the bindings of their Worker.
import type { Cart } from "./cart.ts";

declare global {
  interface Env {
    readonly CARTS: DurableObjectNamespace<Cart>;
  }
}
