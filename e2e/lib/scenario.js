import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Stage } from './stage.js';

let stage;
before(async () => {
  stage = await Stage.start();
});
after(async () => {
  if (stage) assert.equal(await stage.stop(), 0, 'callsemu ends with status 0 on SIGTERM');
});

// scenario is a test that plays on the file's stage. `act` gets the stage, and the test for its diagnostics.
export function scenario(name, act, { timeout = 90_000 } = {}) {
  test(name, { timeout }, (t) => stage.play(name, (on) => act(on, t)));
}
