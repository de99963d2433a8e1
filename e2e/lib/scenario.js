import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Stage } from './stage.js';

let stage; // made by the first scenario, which knows the flags
let flags = [];
after(async () => {
  if (stage) assert.equal(await stage.stop(), 0, 'callsemu ends with status 0 on SIGTERM');
});

// emulator names flags for the file's emulator.
export function emulator(...names) {
  flags = names;
}

// scenario is a test that plays on the file's stage. `act` gets the stage, and the test for its diagnostics.
export function scenario(name, act, { timeout = 90_000 } = {}) {
  test(name, { timeout }, async (t) => {
    stage ??= await Stage.start(...flags);
    await stage.play(name, (on) => act(on, t));
  });
}
