// The customers' side: an HTTP server on loopback that verifies each webhook as Standard Webhooks asks,
// enters it in the books, and is in turn slow, failing, busy and picky.

import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { Webhook } from "standardwebhooks";
import type { Books } from "./books.ts";

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly retryAfterSeconds?: number;
}

const ACCEPTED: Answer = { status: 200, text: "accepted" };
const SLOW_MS = 300;
const BUSY_SECONDS = 2;

export class Receiver {
  readonly #books: Books;
  readonly #server: Server;
  readonly #secrets = new Map<string, string>();
  #isRepaired = false;

  private constructor(books: Books) {
    this.#books = books;
    this.#server = createServer((request, response) => {
      const at = Date.now();
      this.#receive(request, at).then(
        (answer) => {
          const { retryAfterSeconds } = answer;
          if (retryAfterSeconds !== undefined) response.setHeader("retry-after", retryAfterSeconds);
          response.writeHead(answer.status).end(answer.text);
        },
        // The caller went away in the middle of its request.
        () => response.destroy(),
      );
    });
  }

  /** Starts one on a free port of loopback. */
  static async start(books: Books): Promise<Receiver> {
    const receiver = new Receiver(books);
    await new Promise<void>((resolve, reject) => {
      receiver.#server.once("error", reject).listen(0, "127.0.0.1", resolve);
    });
    return receiver;
  }

  /** The URL of an endpoint, whose webhooks are verified with a secret from now on. */
  endpoint(name: string, secret: string): string {
    this.#secrets.set(name, secret);
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}/hooks/${name}`;
  }

  /** From now on nothing is refused any more. */
  repair(): void {
    this.#isRepaired = true;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #receive(request: IncomingMessage, at: number): Promise<Answer> {
    const body = await text(request);
    const id = headerOf(request, "webhook-id");
    const endpoint = (request.url ?? "").replace("/hooks/", "");
    const forgery = this.#verify(request, endpoint, body);
    const answer = forgery === undefined ? await this.#answer(id) : { status: 401, text: forgery };
    const { status, retryAfterSeconds } = answer;
    this.#books.posted({
      id,
      endpoint,
      body,
      at,
      status,
      ...(forgery === undefined ? {} : { forgery }),
      ...(retryAfterSeconds === undefined ? {} : { notBefore: Date.now() + retryAfterSeconds * 1000 }),
    });
    return answer;
  }

  #verify(request: IncomingMessage, endpoint: string, body: string): string | undefined {
    const headers = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    try {
      new Webhook(this.#secrets.get(endpoint) ?? "").verify(
        body,
        Object.fromEntries(headers.map((name) => [name, headerOf(request, name)])),
        { jsonParse: false },
      );
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  async #answer(id: string): Promise<Answer> {
    const item = this.#books.item(id);
    if (item === undefined) return { status: 404, text: `nobody knows ${id}` };
    const before = this.#books.postsOf(id).length;
    switch (item.manner) {
      case "accept":
        return ACCEPTED;
      case "slow":
        await sleep(SLOW_MS);
        return ACCEPTED;
      case "failTwice":
        return before < 2 ? { status: 503, text: "the database is away" } : ACCEPTED;
      case "busy":
        return before < 1
          ? { status: 429, text: "too many requests", retryAfterSeconds: BUSY_SECONDS }
          : ACCEPTED;
      case "refuse":
        return this.#isRepaired ? ACCEPTED : { status: 422, text: `no handler for ${item.type}` };
    }
  }
}

function headerOf(request: IncomingMessage, name: string): string {
  const value = request.headers[name];
  return typeof value === "string" ? value : "";
}
