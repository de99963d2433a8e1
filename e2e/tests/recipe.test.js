import assert from 'node:assert/strict';
import { recipe, tracksOf } from '../lib/flows.js';
import { poll } from '../lib/poll.js';
import { scenario } from '../lib/scenario.js';

scenario('a page publishes, another page sees and hears it', async (stage) => {
  await recipe(stage);
});

scenario('two pages see and hear each other, each on one session', async (stage) => {
  const pages = [await stage.page({ name: 'one' }), await stage.page({ name: 'two' })];
  for (const page of pages) {
    await page.call('publish', [
      { trackName: 'mic', source: 'microphone' },
      { trackName: 'cam', source: 'camera' },
    ]);
  }
  const [one, two] = pages;
  const ofTwo = await one.call('pull', tracksOf(two, 'mic', 'cam'));
  const ofOne = await two.call('pull', tracksOf(one, 'mic', 'cam'));
  await Promise.all([one.playing(ofTwo), two.playing(ofOne)]);
  assert.deepEqual([ofTwo, ofOne], [['2', '3'], ['2', '3']], 'the SFU counts on from the mids in use');
});

scenario('one pull brings the tracks of two publishers, each to its own mid', async (stage) => {
  const first = await stage.page({ name: 'first' });
  await first.call('publish', [
    { trackName: 'red', source: 'red' },
    { trackName: 'mic', source: 'microphone' },
    { trackName: 'blue', source: 'blue' },
  ]);
  const second = await stage.page({ name: 'second' });
  await second.call('publish', [{ trackName: 'lime', source: 'lime' }]);
  const viewer = await stage.page({ name: 'viewer' });
  const wanted = [...tracksOf(second, 'lime'), ...tracksOf(first, 'blue', 'mic', 'red')];
  const mids = await viewer.call('pull', wanted);
  assert.deepEqual(mids, ['0', '1', '2', '3']);
  await viewer.playing(mids, { looking: { 0: 'lime', 1: 'blue', 3: 'red' } });
});

scenario('a track that is published later joins the running session', async (stage) => {
  const publisher = await stage.page({ name: 'publisher' });
  await publisher.call('publish', [{ trackName: 'red', source: 'red' }]);
  const viewer = await stage.page({ name: 'viewer' });
  const first = await viewer.call('pull', tracksOf(publisher, 'red'));
  await viewer.playing(first, { looking: { 0: 'red' } });
  await publisher.call('publish', [{ trackName: 'mic', source: 'microphone' }]);
  const second = await viewer.call('pull', tracksOf(publisher, 'mic'));
  await viewer.playing([...first, ...second]);
});

scenario('a viewer who comes late has a picture within two seconds', async (stage) => {
  const publisher = await stage.page({ name: 'publisher' });
  await publisher.call('publish', [{ trackName: 'cam', source: 'camera' }]);
  await poll('the publisher has sent three seconds of video', async () => {
    const [video] = await publisher.call('sent');
    return video?.framesSent >= 60;
  });
  const viewer = await stage.page({ name: 'viewer' });
  const [mid] = await viewer.call('pull', tracksOf(publisher, 'cam'));
  const delay = await poll('a first picture', () => viewer.call('firstPicture', mid), { every: 20 });
  assert.ok(delay < 2_000, `the picture came after ${Math.round(delay)} ms`);
  await viewer.playing([mid]);
});

scenario('a publisher whose browser was killed comes back under the same names', async (stage) => {
  const { publisher, viewer, mids } = await recipe(stage);
  await publisher.kill();
  await Promise.all(mids.map((mid) => viewer.silent(mid)));
  const again = await stage.page({ name: 'again' });
  await again.call('publish', [
    { trackName: 'mic', source: 'microphone' },
    { trackName: 'cam', source: 'camera' },
  ]);
  assert.notEqual(again.sessionId, publisher.sessionId);
  const fresh = await viewer.call('pull', tracksOf(again, 'mic', 'cam'));
  await viewer.playing(fresh);
});

for (const transport of ['udp', 'tcp']) {
  scenario(`media flows over ${transport} alone`, async (stage) => {
    const { publisher, viewer } = await recipe(stage, { candidates: transport });
    const apiPort = Number(new URL(stage.emulator.baseUrl).port);
    for (const page of [publisher, viewer]) {
      const { protocol, port, type } = await page.call('route');
      assert.deepEqual({ protocol, port }, { protocol: transport, port: apiPort }, `${page.name} uses the API's own port`);
      assert.notEqual(type, 'relay');
    }
  });
}

for (const relay of ['udp', 'tcp', 'tls']) {
  scenario(`pages that may only relay play media through TURN over ${relay}`, async (stage) => {
    const { publisher, viewer } = await recipe(stage, { relay, trusting: relay === 'tls' });
    for (const page of [publisher, viewer]) {
      const { type, relay: over } = await page.call('route');
      assert.deepEqual({ type, over }, { type: 'relay', over: relay }, page.name);
    }
  });
}
