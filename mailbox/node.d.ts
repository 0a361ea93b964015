// The two `node:` modules that the mailbox uses, as far as it uses them. @types/node would do, but
// its globals contradict those of @cloudflare/workers-types. Nothing here may appear in an exported
// type: this file is not part of the package.

declare module "node:async_hooks" {
  export class AsyncLocalStorage<T> {
    run<R>(store: T, callback: () => R): R;
    getStore(): T | undefined;
    /** Answers a function that calls another in the context of now. */
    static snapshot(): <R>(callback: () => R) => R;
  }
}

declare module "node:diagnostics_channel" {
  export interface Channel {
    readonly hasSubscribers: boolean;
    publish(message: unknown): void;
  }
  export type Subscriber = (message: unknown, name: string | symbol) => void;
  export function channel(name: string): Channel;
  export function subscribe(name: string, onMessage: Subscriber): void;
  export function unsubscribe(name: string, onMessage: Subscriber): boolean;
}
