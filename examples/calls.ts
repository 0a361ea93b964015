// What the page at `/` offers to call, in an order that tells a story. A test makes every one of these calls.

export interface Call {
  readonly what: string;
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  readonly body?: unknown;
}

export interface Chapter {
  readonly title: string;
  readonly text: string;
  readonly calls: readonly Call[];
}

/** @param origin where the Worker is reached, so that the lines work when pasted */
export function chapters(origin: string): readonly Chapter[] {
  return [
    {
      title: "Webhooks",
      text: "Each endpoint is an actor, each webhook a message: signed, POSTed, redelivered with backoff. This Worker plays the receiver too: /receiver/503 always answers 503.",
      calls: [
        {
          what: "Register an endpoint whose receiver is down",
          method: "PUT",
          path: "/endpoints/acme",
          body: { url: `${origin}/receiver/503` },
        },
        {
          what: "Send it a webhook at once",
          method: "POST",
          path: "/endpoints/acme/events?type=order.paid",
          body: { order: 42 },
        },
        {
          what: "Send it one in five seconds",
          method: "POST",
          path: "/endpoints/acme/events?type=order.shipped&in=5+seconds",
          body: { order: 42 },
        },
        { what: "See attempts and errors while they wait", method: "GET", path: "/endpoints/acme" },
        {
          what: "List the dead letters: after five attempts, some 15 seconds",
          method: "GET",
          path: "/endpoints/acme/dead-letters",
        },
        {
          what: "Repair the receiver",
          method: "PUT",
          path: "/endpoints/acme",
          body: { url: `${origin}/receiver/204` },
        },
        {
          what: "Redrive all dead letters (one: …/dead-letters/<id>/redrive)",
          method: "POST",
          path: "/endpoints/acme/dead-letters/redrive",
        },
      ],
    },
    {
      title: "Cart",
      text: "Each item puts the reminder off again: one message with a key, which a newer one replaces. Here it comes after ten seconds.",
      calls: [
        {
          what: "Add an item",
          method: "POST",
          path: "/carts/cart-42/items",
          body: { sku: "apple", qty: 2, email: "ada@example.org" },
        },
        { what: "See the cart", method: "GET", path: "/carts/cart-42" },
        {
          what: "See the reminder that waits, and the mails sent",
          method: "GET",
          path: "/mailers/ada@example.org",
        },
        { what: "Check out, which cancels the reminder", method: "POST", path: "/carts/cart-42/checkout" },
      ],
    },
    {
      title: "Digest",
      text: "A recurring message by the clocks of a time zone. Declaring the same rule again writes nothing; another rule takes its place.",
      calls: [
        {
          what: "Note something",
          method: "POST",
          path: "/digests/team/notes",
          body: { text: "Shipped the mailbox" },
        },
        {
          what: "Digest every working day at nine in Berlin",
          method: "PUT",
          path: "/digests/team",
          body: { cron: "0 9 * * 1-5", timeZone: "Europe/Berlin" },
        },
        {
          what: "Or, not to wait so long, every ten seconds",
          method: "PUT",
          path: "/digests/team",
          body: { cron: "*/10 * * * * *", timeZone: "Europe/Berlin" },
        },
        { what: "See the next time, and the digests so far", method: "GET", path: "/digests/team" },
        { what: "End it", method: "DELETE", path: "/digests/team/every:compile:" },
      ],
    },
    {
      title: "Trial",
      text: "A class written for do-taskmanager, unchanged but for its import: mails and reports are its tasks, the end is its own alarm. Here a day has two seconds.",
      calls: [
        { what: "Start a trial of three days", method: "POST", path: "/trials/acme/start" },
        {
          what: "See its mails, the first of which failed once, its reports and its end",
          method: "GET",
          path: "/trials/acme",
        },
        { what: "Buy before the end, which cancels the reminder", method: "POST", path: "/trials/acme/buy" },
        { what: "Close it, which deletes everything", method: "POST", path: "/trials/acme/close" },
      ],
    },
  ];
}

/** A call as a line for the shell. */
export function curlOf({ method, path, body }: Call, origin: string): string {
  const url = `'${origin}${path}'`;
  if (body !== undefined) return `curl -X ${method} ${url} -d '${JSON.stringify(body)}'`;
  return method === "GET" ? `curl ${url}` : `curl -X ${method} ${url}`;
}
