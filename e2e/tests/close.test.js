import assert from 'node:assert/strict';
import { tracksOf } from '../lib/flows.js';
import { scenario } from '../lib/scenario.js';

const sources = [
  { trackName: 'mic', source: 'microphone' },
  { trackName: 'red', source: 'red' },
  { trackName: 'blue', source: 'blue' },
];

// watching gives a publisher of three tracks and a viewer who plays them on mids 0, 1 and 2.
async function watching(stage) {
  const publisher = await stage.page({ name: 'publisher' });
  await publisher.call('publish', sources);
  const viewer = await stage.page({ name: 'viewer' });
  const mids = await viewer.call('pull', tracksOf(publisher, 'mic', 'red', 'blue'));
  await viewer.playing(mids, { looking: { 1: 'red', 2: 'blue' } });
  return { publisher, viewer };
}

scenario('a viewer closes a later mid, the other tracks play on', async (stage) => {
  const { viewer } = await watching(stage);
  await viewer.call('close', ['1']);
  await viewer.playing(['0', '2'], { looking: { 2: 'blue' } });
});

// Rejecting the first m-line changes the tag of the BUNDLE group: Chromium ends its transport and starts a new one.
scenario('a viewer closes mid 0, the other tracks play on, and more can be pulled', async (stage) => {
  const { publisher, viewer } = await watching(stage);
  await viewer.call('close', ['0']);
  await viewer.playing(['1', '2'], { looking: { 1: 'red', 2: 'blue' } });
  const more = await viewer.call('pull', tracksOf(publisher, 'mic', 'red'));
  await viewer.playing(['1', '2', ...more], { looking: { 1: 'red', 2: 'blue', [more[1]]: 'red' } });
});

scenario('a viewer closes mid after mid from the first on, the last one plays on', async (stage) => {
  const { viewer } = await watching(stage);
  await viewer.call('close', ['0']);
  await viewer.playing(['1', '2'], { looking: { 1: 'red', 2: 'blue' } });
  await viewer.call('close', ['1']);
  await viewer.playing(['2'], { looking: { 2: 'blue' } });
});

scenario('a publisher closes a later mid, its other tracks play on', async (stage) => {
  const { publisher, viewer } = await watching(stage);
  await publisher.call('close', ['2']);
  await viewer.silent('2');
  await viewer.playing(['0', '1'], { looking: { 1: 'red' } });
});

scenario('a publisher closes mid 0, its other tracks play on, and it can publish again', async (stage) => {
  const { publisher, viewer } = await watching(stage);
  await publisher.call('close', ['0']);
  await viewer.silent('0');
  await viewer.playing(['1', '2'], { looking: { 1: 'red', 2: 'blue' } });
  await publisher.call('publish', [{ trackName: 'mic', source: 'microphone' }]);
  const again = await viewer.call('pull', tracksOf(publisher, 'mic'));
  await viewer.playing(['1', '2', ...again]);
});

scenario('a forced close at the viewer stops one track and no other', async (stage) => {
  const { viewer } = await watching(stage);
  const answer = await viewer.call('forceClose', ['0', '1']);
  assert.equal(answer.sessionDescription, undefined);
  await Promise.all([viewer.silent('0'), viewer.silent('1')]);
  await viewer.playing(['2'], { looking: { 2: 'blue' } });
});

scenario('a forced close at the publisher stops one track for its viewers and no other', async (stage) => {
  const { publisher, viewer } = await watching(stage);
  await publisher.call('forceClose', ['1']);
  await viewer.silent('1');
  await viewer.playing(['0', '2'], { looking: { 2: 'blue' } });
  await assert.rejects(viewer.call('pull', tracksOf(publisher, 'red')), /not_found_track_error/);
});
