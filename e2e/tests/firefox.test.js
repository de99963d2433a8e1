import assert from 'node:assert/strict';
import { tracksOf } from '../lib/flows.js';
import { scenario } from '../lib/scenario.js';

const sources = [
  { trackName: 'mic', source: 'microphone' },
  { trackName: 'cam', source: 'camera' },
];

scenario('Firefox publishes, another Firefox sees and hears it', async (stage) => {
  const publisher = await stage.page({ browser: 'firefox', name: 'publisher' });
  await publisher.call('publish', sources);
  const viewer = await stage.page({ browser: 'firefox', name: 'viewer' });
  const mids = await viewer.call('pull', tracksOf(publisher, 'mic', 'cam'));
  await viewer.playing(mids);
});

scenario('Firefox and Chromium see and hear each other, also after an ICE restart of Firefox', async (stage) => {
  const firefox = await stage.page({ browser: 'firefox' });
  const chromium = await stage.page({ browser: 'chromium' });
  for (const page of [firefox, chromium]) await page.call('publish', sources);
  const inChromium = await chromium.call('pull', tracksOf(firefox, 'mic', 'cam'));
  await chromium.playing(inChromium);
  const inFirefox = await firefox.call('pull', tracksOf(chromium, 'mic', 'cam'));
  await Promise.all([firefox.playing(inFirefox), chromium.playing(inChromium)]);

  const { before, after } = await firefox.call('restart');
  assert.notEqual(after, before, 'the SFU has new credentials');
  await Promise.all([firefox.playing(inFirefox), chromium.playing(inChromium)]);
});

// Firefox makes a new transport when its mid 0 is closed. It does so here before it sends anything: now and then a track that it
// was sending stays behind, its statistics count packets, and those of the candidate pair show that none leaves.
scenario('Firefox closes mid 0 of what it pulls, then a mid of what it publishes, the rest plays on', async (stage) => {
  const firefox = await stage.page({ browser: 'firefox' });
  const chromium = await stage.page({ browser: 'chromium' });
  await chromium.call('publish', sources);
  const inFirefox = await firefox.call('pull', tracksOf(chromium, 'mic', 'cam'));
  await firefox.playing(inFirefox);
  await firefox.call('close', ['0']);
  await firefox.playing(['1']);

  const [mic] = await firefox.call('publish', [...sources, { trackName: 'red', source: 'red' }]);
  const inChromium = await chromium.call('pull', tracksOf(firefox, 'cam', 'red'));
  await chromium.playing(inChromium);
  await firefox.call('close', [mic]);
  await Promise.all([firefox.playing(['1']), chromium.playing(inChromium)]);
});

// The picture is 320 wide, of which Firefox makes layers of 320, 160 and 80.
scenario('Firefox sends simulcast layers, Chromium and Firefox switch between them', async (stage) => {
  const open = (browser, name) => stage.page({ browser, name });
  const [publisher, ...viewers] = await Promise.all([open('firefox', 'publisher'), open('chromium'), open('firefox', 'viewer')]);
  const encodings = [{ rid: 'a' }, { rid: 'b', scaleResolutionDownBy: 2 }, { rid: 'c', scaleResolutionDownBy: 4 }];
  await publisher.call('publish', [{ trackName: 'red', source: 'red', codec: 'video/VP8', encodings }]);
  const [track] = tracksOf(publisher, 'red');
  for (const viewer of viewers) {
    const [mid] = await viewer.call('pull', [{ ...track, simulcast: { preferredRid: 'c' } }]);
    await viewer.call('showing', mid, 80);
    for (const [rid, width] of [['a', 320], ['b', 160], ['c', 80]]) {
      await viewer.call('switchTo', { mid, ...track, simulcast: { preferredRid: rid } }, width);
    }
    const views = await viewer.playing([mid], { looking: { [mid]: 'red' } });
    assert.deepEqual(views[mid].widths, [80, 320, 160, 80]);
  }
});
