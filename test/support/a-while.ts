// A wait for what must not happen, where nothing says that it has not.

/** Long enough for everything that would be done at once. */
export async function aWhile(): Promise<void> {
  for (let n = 0; n < 10; n += 1) await scheduler.wait(20);
}
