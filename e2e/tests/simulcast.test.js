import assert from 'node:assert/strict';
import { tracksOf } from '../lib/flows.js';
import { poll } from '../lib/poll.js';
import { scenario } from '../lib/scenario.js';
import { encodings, playedOn, sending, switchAround, widths } from '../lib/simulcast.js';

// publishing gives a page that sends three layers of its camera, all of them flowing.
async function publishing(stage, { codec = 'video/VP8' } = {}) {
  const publisher = await stage.page({ name: 'publisher' });
  await publisher.call('publish', [{ trackName: 'cam', source: 'wide camera', codec, encodings }]);
  await sending(publisher);
  return publisher;
}

// fills waits until a layer really takes that many bits a second.
function fills(stage, publisher, rid, bitrate) {
  return poll(`layer ${rid} above ${bitrate} bit/s`, async () => {
    const { apps } = await stage.emulator.state();
    const session = apps.flatMap(({ sessions }) => sessions).find(({ sessionId }) => sessionId === publisher.sessionId);
    return session.tracks[0].layers.find((layer) => layer.rid === rid).bitrate > bitrate;
  });
}

async function watching(stage, simulcast, options) {
  const publisher = await publishing(stage, options);
  const viewer = await stage.page({ name: 'viewer' });
  const [track] = tracksOf(publisher, 'cam');
  const [mid] = await viewer.call('pull', [{ ...track, simulcast }]);
  return { publisher, viewer, mid, item: { mid, ...track } };
}

for (const codec of ['video/VP8', 'video/H264']) {
  scenario(`simulcast, ${codec}: twenty switches between three layers, without a freeze`, async (stage, t) => {
    const { viewer, mid, item } = await watching(stage, { preferredRid: 'q' }, { codec });
    await viewer.call('showing', mid, widths.q);
    await switchAround(t, viewer, mid, (rid, width) => {
      return viewer.call('switchTo', { ...item, simulcast: { preferredRid: rid } }, width);
    });
  });
}

scenario('simulcast: an update may name nothing but mid and layer', async (stage) => {
  const { viewer, mid } = await watching(stage, { preferredRid: 'q' });
  await viewer.call('showing', mid, widths.q);
  await viewer.call('switchTo', { mid, simulcast: { preferredRid: 'f' } }, widths.f);
});

scenario('simulcast: a plain pull and an empty preferredRid each give one steady layer', async (stage) => {
  const { publisher, viewer: plain, mid, item } = await watching(stage);
  const empty = await stage.page({ name: 'empty' });
  const [other] = await empty.call('pull', [{ ...tracksOf(publisher, 'cam')[0], simulcast: { preferredRid: '' } }]);
  await Promise.all([frames(plain, mid, 40), frames(empty, other, 40)]);
  for (const [viewer, on] of [[plain, mid], [empty, other]]) {
    assert.equal((await viewer.call('views'))[on].widths.length, 1, `${viewer.name}: the size never changed`);
  }

  await plain.call('switchTo', { ...item, simulcast: { preferredRid: 'q' } }, widths.q);
  const before = (await plain.call('views'))[mid];
  await plain.call('update', [{ ...item, simulcast: { preferredRid: '' } }]);
  const now = await frames(plain, mid, 30);
  assert.deepEqual(now.widths, before.widths, 'no preference leaves the layer that is there');
  playedOn(before, now);
});

// frames waits until so many more pictures were shown, and reads the view.
async function frames(viewer, mid, count) {
  const read = async () => (await viewer.call('views'))[mid];
  const { shown } = await read();
  return poll(`${viewer.name}: ${count} frames`, async () => {
    const now = await read();
    return now.shown >= shown + count && now;
  });
}

scenario('simulcast: ridNotAvailable finds the next layer where the preferred one is missing or stops', async (stage) => {
  const { publisher, viewer, mid, item } = await watching(stage, { preferredRid: 'g', ridNotAvailable: 'asciibetical' });
  await viewer.call('showing', mid, widths.h);
  await viewer.call('switchTo', { ...item, simulcast: { preferredRid: 'f', ridNotAvailable: 'asciibetical' } }, widths.f);

  await publisher.call('setLayer', '0', 'f', false);
  await viewer.call('showing', mid, widths.h);
  await publisher.call('setLayer', '0', 'f', true);
  await viewer.call('showing', mid, widths.f);
});

scenario('simulcast: without ridNotAvailable a layer that stops leaves silence, until it comes back', async (stage) => {
  const { publisher, viewer, mid } = await watching(stage, { preferredRid: 'f' });
  await viewer.call('showing', mid, widths.f);
  await publisher.call('setLayer', '0', 'f', false);
  await viewer.silent(mid);
  await publisher.call('setLayer', '0', 'f', true);
  await viewer.playing([mid]);
  assert.deepEqual((await viewer.call('views'))[mid].widths, [widths.f]);
});

// The limits are those of contract 3.5's rule alone: 300 kbit/s has room for h (200) and none for f. At the end the emulator
// goes by what the browser measures, and has to find out by trying that there is more room.
scenario('simulcast: priorityOrdering follows the bandwidth down to the layer that fits, and up again', async (stage) => {
  const simulcast = { preferredRid: 'f', priorityOrdering: 'asciibetical' };
  const { publisher, viewer, mid } = await watching(stage, simulcast);
  await viewer.call('showing', mid, widths.f);
  await fills(stage, publisher, 'f', 400_000);

  for (const [bitrate, rid] of [[300_000, 'h'], [120_000, 'q'], [300_000, 'h'], [5_000_000, 'f'], [300_000, 'h'], [0, 'f']]) {
    const shown = viewer.call('showing', mid, widths[rid], 40_000);
    await stage.emulator.fixEstimate(viewer.sessionId, bitrate);
    await shown;
  }
  await viewer.playing([mid]);
});

scenario('simulcast: without priorityOrdering the preferred layer comes however short bandwidth is', async (stage) => {
  const { viewer, mid } = await watching(stage, { preferredRid: 'f' });
  await viewer.call('showing', mid, widths.f);
  await stage.emulator.fixEstimate(viewer.sessionId, 100_000);
  assert.deepEqual((await frames(viewer, mid, 40)).widths, [widths.f]);
});
