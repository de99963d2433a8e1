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

scenario('Firefox and Chromium see and hear each other', async (stage) => {
  const firefox = await stage.page({ browser: 'firefox' });
  const chromium = await stage.page({ browser: 'chromium' });
  for (const page of [firefox, chromium]) await page.call('publish', sources);
  const inChromium = await chromium.call('pull', tracksOf(firefox, 'mic', 'cam'));
  await chromium.playing(inChromium);
  const inFirefox = await firefox.call('pull', tracksOf(chromium, 'mic', 'cam'));
  await Promise.all([firefox.playing(inFirefox), chromium.playing(inChromium)]);
});

scenario('Firefox closes mid 0 of what it pulls and of what it publishes, the rest plays on', async (stage) => {
  const firefox = await stage.page({ browser: 'firefox' });
  const chromium = await stage.page({ browser: 'chromium' });
  for (const page of [firefox, chromium]) await page.call('publish', [...sources, { trackName: 'red', source: 'red' }]);
  const inChromium = await chromium.call('pull', tracksOf(firefox, 'cam', 'red'));
  const inFirefox = await firefox.call('pull', tracksOf(chromium, 'mic', 'cam'));
  await Promise.all([firefox.playing(inFirefox), chromium.playing(inChromium)]);

  await firefox.call('close', ['0', inFirefox[0]]);
  await Promise.all([firefox.playing(inFirefox.slice(1)), chromium.playing(inChromium)]);
});
