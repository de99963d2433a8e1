import assert from 'node:assert/strict';
import { tracksOf } from '../lib/flows.js';
import { scenario } from '../lib/scenario.js';

for (const codec of ['video/VP8', 'video/VP9', 'video/H264', 'video/AV1']) {
  scenario(`${codec} is published, pulled and shown`, async (stage) => {
    const publisher = await stage.page({ name: 'publisher' });
    await publisher.call('publish', [{ trackName: 'red', source: 'red', codec }]);
    const viewer = await stage.page({ name: 'viewer' });
    const [mid] = await viewer.call('pull', tracksOf(publisher, 'red'));
    const views = await viewer.playing([mid], { looking: { [mid]: 'red' } });
    assert.equal(views[mid].codec, codec);
  });
}

// A page's own offers name every H.264 profile that it knows; what it pulls is still offered to it with the baseline
// profile (profile_idc 42) that the other page sends.
scenario('H.264 keeps its profile on a session whose page has made offers of its own', async (stage) => {
  const publisher = await stage.page({ name: 'publisher' });
  await publisher.call('publish', [
    { trackName: 'red', source: 'red', codec: 'video/H264' },
    { trackName: 'blue', source: 'blue', codec: 'video/H264' },
  ]);
  const viewer = await stage.page({ name: 'viewer' });
  await viewer.call('publish', [
    { trackName: 'mic', source: 'microphone' },
    { trackName: 'lime', source: 'lime' },
  ]);
  const [red] = await viewer.call('pull', tracksOf(publisher, 'red'));
  await showsBaseline(viewer, red, 'red');
  await viewer.call('close', ['0']);
  const [blue] = await viewer.call('pull', tracksOf(publisher, 'blue'));
  await showsBaseline(viewer, blue, 'blue');
});

async function showsBaseline(viewer, mid, colour) {
  const views = await viewer.playing([mid], { looking: { [mid]: colour } });
  assert.equal(views[mid].codec, 'video/H264');
  assert.match(views[mid].fmtp, /profile-level-id=42/);
}
