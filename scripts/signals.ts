// Ends a command at a signal as at its end: what it has put on `exit` is done then.

const SIGNALS = [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const;

export function exitOnSignals(): void {
  for (const [signal, code] of SIGNALS) process.on(signal, () => process.exit(code));
}
