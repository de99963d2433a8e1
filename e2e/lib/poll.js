import { setTimeout as pause } from 'node:timers/promises';

// poll asks `probe` again and again until it returns something truthy, and returns that.
// When the deadline passes it throws, with whatever `describe` says about the last state.
export async function poll(what, probe, { within = 15_000, every = 100, describe } = {}) {
  const deadline = performance.now() + within;
  for (;;) {
    const found = await probe();
    if (found) return found;
    if (performance.now() > deadline) {
      const state = describe ? `\n${await describe()}` : '';
      throw new Error(`not within ${within} ms: ${what}${state}`);
    }
    await pause(every);
  }
}

// steady waits until the value that `read` returns has stayed the same for `calm` milliseconds.
export async function steady(what, read, { calm = 1_000, within = 15_000 } = {}) {
  let last = await read();
  let since = performance.now();
  await poll(
    what,
    async () => {
      const now = await read();
      if (now !== last) {
        last = now;
        since = performance.now();
      }
      return performance.now() - since >= calm;
    },
    { within, describe: () => `last value: ${last}` },
  );
  return last;
}
