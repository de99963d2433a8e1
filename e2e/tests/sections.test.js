import assert from 'node:assert/strict';
import { tracksOf } from '../lib/flows.js';
import { poll } from '../lib/poll.js';
import { scenario } from '../lib/scenario.js';
import { playedOn } from '../lib/simulcast.js';

const redAndBlue = [
  { trackName: 'red', source: 'red', codec: 'video/VP8' },
  { trackName: 'blue', source: 'blue', codec: 'video/VP8' },
];

scenario('tracks/update shows another source on the same mid, without SDP and without a break', async (stage) => {
  const publisher = await stage.page({ name: 'publisher' });
  await publisher.call('publish', redAndBlue);
  const [red, blue] = tracksOf(publisher, 'red', 'blue');
  const viewer = await stage.page({ name: 'viewer' });
  const [mid] = await viewer.call('pull', [red]);
  let before = (await viewer.playing([mid], { looking: { [mid]: 'red' } }))[mid];

  for (const [track, colour] of [[blue, 'blue'], [red, 'red'], [blue, 'blue']]) {
    const answer = await viewer.call('update', [{ mid, ...track }]);
    assert.deepEqual(answer, { requiresImmediateRenegotiation: false, tracks: [{ mid, ...track }] });
    const now = (await viewer.playing([mid], { looking: { [mid]: colour } }))[mid];
    playedOn(before, now);
    before = now;
  }
});

scenario('tracks/update shows a track of another publisher', async (stage) => {
  const [first, second] = [await stage.page({ name: 'first' }), await stage.page({ name: 'second' })];
  await first.call('publish', redAndBlue.slice(0, 1));
  await second.call('publish', redAndBlue.slice(1));
  const viewer = await stage.page({ name: 'viewer' });
  const [mid] = await viewer.call('pull', tracksOf(first, 'red'));
  await viewer.playing([mid], { looking: { [mid]: 'red' } });
  await viewer.call('update', [{ mid, ...tracksOf(second, 'blue')[0] }]);
  await viewer.playing([mid], { looking: { [mid]: 'blue' } });
});

scenario('a page publishes without an offer of its own', async (stage) => {
  const publisher = await stage.page({ name: 'publisher' });
  const mids = await publisher.call('publishUnoffered', [
    { trackName: 'mic', kind: 'audio', source: 'microphone' },
    { trackName: 'red', kind: 'video', source: 'red' },
  ]);
  assert.deepEqual(mids, ['0', '1']);
  const viewer = await stage.page({ name: 'viewer' });
  await viewer.playing(await viewer.call('pull', tracksOf(publisher, 'mic', 'red')), { looking: { 1: 'red' } });
});

scenario('a page pulls with an offer of its own', async (stage) => {
  const publisher = await stage.page({ name: 'publisher' });
  await publisher.call('publish', [...redAndBlue, { trackName: 'mic', source: 'microphone' }]);
  const viewer = await stage.page({ name: 'viewer' });
  const [blue, mic] = tracksOf(publisher, 'blue', 'mic');
  const mids = await viewer.call('pullOffering', [{ ...mic, kind: 'audio' }, { ...blue, kind: 'video' }]);
  await viewer.playing(mids, { looking: { [mids[1]]: 'blue' } });
});

scenario('two pages exchange tracks through one transceiver each, and change what it carries', async (stage) => {
  const publisher = await stage.page({ name: 'publisher' });
  await publisher.call('publish', redAndBlue);
  const page = await stage.page({ name: 'page' });
  const [mid] = await page.call('publishUnoffered', [
    { trackName: 'lime', kind: 'video', source: 'lime', bidirectionalMediaStream: true },
  ]);
  assert.equal(await page.call('direction', mid), 'sendrecv');
  const [fromPage] = await publisher.call('pull', tracksOf(page, 'lime'));
  for (const colour of ['red', 'blue']) {
    assert.equal(await page.call('pullInto', 'lime', tracksOf(publisher, colour)[0]), mid);
    await page.playing([mid], { looking: { [mid]: colour } });
  }
  await publisher.playing([fromPage], { looking: { [fromPage]: 'lime' } });
});

scenario('a session begins with an offer, and its tracks are named later', async (stage) => {
  const publisher = await stage.client('calls', { name: 'publisher' });
  const { sessionId, mids } = await publisher.call('openSending', [{ source: 'microphone' }, { source: 'red' }]);
  publisher.sessionId = sessionId;
  await publisher.call('name', mids.map((mid, i) => ({ mid, trackName: ['mic', 'red'][i] })));
  const viewer = await stage.page({ name: 'viewer' });
  await viewer.playing(await viewer.call('pull', tracksOf(publisher, 'mic', 'red')), { looking: { 1: 'red' } });
});

scenario('ICE restarts by an offer to renegotiate, at either side, and media plays on', async (stage) => {
  const publisher = await stage.page({ name: 'publisher' });
  await publisher.call('publish', redAndBlue.slice(0, 1));
  const viewer = await stage.page({ name: 'viewer' });
  const [mid] = await viewer.call('pull', tracksOf(publisher, 'red'));
  await viewer.playing([mid], { looking: { [mid]: 'red' } });
  for (const page of [viewer, publisher]) {
    const { before, after, localUfrag } = await page.call('restart');
    assert.notEqual(after, before, 'the SFU has new credentials');
    // The far end's are no sign: Chromium may check from its new port before it has them, and keep that pair.
    await poll(`${page.name} sends from a new port`, async () => (await page.call('route'))?.localUfrag === localUfrag);
    await viewer.playing([mid], { looking: { [mid]: 'red' } });
  }
});
