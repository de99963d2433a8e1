import assert from 'node:assert/strict';
import { tracksOf } from '../lib/flows.js';
import { emulator, scenario } from '../lib/scenario.js';

// Pages that have the names of the service written into them, in a Chromium that was started as `callsemu env` says. STUN and
// TURN are on their real ports, which a rule for names cannot change, at a loopback address that is this process's own.

const own = `127.44.${(process.pid >> 8) & 255}.${process.pid & 255 || 1}`;
emulator('--listen', `${own}:0`, '--stun', `${own}:3478`, '--turn-host', 'turn.cloudflare.com');

const page = { of: 'hardcoded', trusting: true };

scenario('pages made for the real service play media, and its STUN server answers them', async (stage) => {
  const publisher = await stage.page({ ...page, name: 'publisher', camera: false });
  await publisher.call('publish', [{ trackName: 'tone', source: 'tone 440' }, { trackName: 'red', source: 'red' }]);
  const viewer = await stage.page({ ...page, name: 'viewer', camera: false });
  const mids = await viewer.call('pull', tracksOf(publisher, 'tone', 'red'));
  await viewer.playing(mids, { looking: { [mids[1]]: 'red' } });
  for (const tab of [publisher, viewer]) {
    assert.deepEqual(await tab.call('reflexive'), ['stun:stun.cloudflare.com:3478'], tab.name);
  }
});

scenario('pages made for the real service relay over UDP, TCP and TLS', async (stage) => {
  const publisher = await stage.page({ ...page, name: 'over udp', relay: 'udp' });
  await publisher.call('publish', [{ trackName: 'red', source: 'red' }]);
  const viewers = await Promise.all(['tcp', 'tls'].map((relay) => stage.page({ ...page, name: `over ${relay}`, relay })));
  for (const viewer of viewers) {
    const mids = await viewer.call('pull', tracksOf(publisher, 'red'));
    await viewer.playing(mids, { looking: { [mids[0]]: 'red' } });
  }
  for (const tab of [publisher, ...viewers]) {
    const { type, relay } = await tab.call('route');
    assert.deepEqual([type, `over ${relay}`], ['relay', tab.name]);
  }
});
