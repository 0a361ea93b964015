// The relay's side: the examples' Worker in the local runtime, with storage of its own that goes when it
// is closed, and its HTTP API.

import "./environment.ts";
import { fileURLToPath } from "node:url";
import { createTestHarness } from "wrangler";

/** What the demo reads of a dead letter. */
export interface Letter {
  readonly id: string;
  readonly reason: string;
  readonly attempts: number;
  readonly errors: readonly { readonly message: string }[];
  readonly payload: { readonly id: string; readonly type: string };
}

export class Relay {
  readonly #server = createTestHarness({
    root: fileURLToPath(new URL("../../..", import.meta.url)),
    workers: [{ configPath: "wrangler.toml" }],
  });
  #origin: URL | undefined;

  /** Starts it, on a free port. */
  async start(): Promise<URL> {
    const { url } = await this.#server.listen();
    this.#origin = url;
    return url;
  }

  close(): Promise<void> {
    return this.#server.close();
  }

  /** The last lines that the Worker wrote to its console. */
  lastLog(lines: number): readonly string[] {
    return this.#server
      .getLogs()
      .slice(-lines)
      .map(({ message }) => message);
  }

  async register(endpoint: string, target: { readonly url: string; readonly secret: string }): Promise<void> {
    await this.#call(`/endpoints/${endpoint}`, { method: "PUT", body: JSON.stringify(target) });
  }

  /** @param at when it is due, in epoch milliseconds; without it, at once */
  async send(
    endpoint: string,
    { id, type, body, at }: { id: string; type: string; body: string; at?: number },
  ): Promise<void> {
    const query = new URLSearchParams({ id, type, ...(at === undefined ? {} : { at: String(at) }) });
    await this.#call(`/endpoints/${endpoint}/events?${query}`, { method: "POST", body });
  }

  async counts(endpoint: string): Promise<{ readonly pending: number; readonly deadLetters: number }> {
    const { stats } = await this.#call<{ stats: { pending: number; deadLetters: number } }>(
      `/endpoints/${endpoint}`,
    );
    return stats;
  }

  async deadLetters(endpoint: string): Promise<readonly Letter[]> {
    return (await this.#call<{ items: readonly Letter[] }>(`/endpoints/${endpoint}/dead-letters`)).items;
  }

  /** Puts back one dead letter, or all; how many went. */
  async redrive(endpoint: string, id?: string): Promise<number> {
    const which = id === undefined ? "" : `/${encodeURIComponent(id)}`;
    const { redriven } = await this.#call<{ redriven: number }>(
      `/endpoints/${endpoint}/dead-letters${which}/redrive`,
      { method: "POST" },
    );
    return redriven;
  }

  async #call<T>(path: string, init?: RequestInit): Promise<T> {
    const response = await fetch(new URL(path, this.#origin), init);
    if (!response.ok) {
      throw new Error(
        `${init?.method ?? "GET"} ${path} answered ${response.status}: ${await response.text()}`,
      );
    }
    return (await response.json()) as T;
  }
}
