import assert from 'node:assert/strict';
import { closedByParty, partytracks } from '../lib/flows.js';
import { poll } from '../lib/poll.js';
import { scenario } from '../lib/scenario.js';
import { encodings, sending, switchAround, widths } from '../lib/simulcast.js';

// clean checks that a page's answers of an endpoint report no failure, at either level.
function clean(answer) {
  const items = answer.tracks ?? [];
  assert.deepEqual([answer, ...items].filter((part) => 'errorCode' in part || 'errorDescription' in part), []);
}

scenario('partytracks: camera and microphone are pushed, and pulled in another browser', async (stage) => {
  const { publisher, viewer } = await partytracks(stage);
  for (const answer of await publisher.call('answers', 'tracks/new')) clean(answer);
  for (const answer of await viewer.call('answers', 'renegotiate')) clean(answer);
});

scenario('partytracks: one page pushes and pulls on one session', async (stage) => {
  const page = await stage.party({ name: 'page' });
  const red = await page.call('pushSource', 'red', 'red');
  const mic = await page.call('pushSource', 'mic', 'microphone');
  await page.call('pull', 'red', red);
  await page.call('pull', 'mic', mic);
  await page.playing(['red', 'mic'], { looking: { red: 'red' } });
});

scenario('partytracks: the publisher replaces its track, the viewer sees the new one', async (stage) => {
  const publisher = await stage.party({ name: 'publisher' });
  const metadata = await publisher.call('pushSource', 'picture', 'red');
  const viewer = await stage.party({ name: 'viewer' });
  await viewer.call('pull', 'picture', metadata);
  await viewer.playing(['picture'], { looking: { picture: 'red' } });
  await publisher.call('replace', 'picture', 'blue');
  const views = await viewer.playing(['picture'], { looking: { picture: 'blue' } });
  assert.equal(views.picture.arrivals, 1, 'the source was switched without a new pull');
});

scenario('partytracks: the viewer switches to another published track', async (stage) => {
  const publisher = await stage.party({ name: 'publisher' });
  const red = await publisher.call('pushSource', 'red', 'red');
  const blue = await publisher.call('pushSource', 'blue', 'blue');
  const mic = await publisher.call('pushSource', 'mic', 'microphone');
  const viewer = await stage.party({ name: 'viewer' });
  await viewer.call('pull', 'picture', red);
  await viewer.call('pull', 'mic', mic);
  await viewer.playing(['picture', 'mic'], { looking: { picture: 'red' } });
  await viewer.call('repull', 'picture', blue);
  clean(await closedByParty(viewer, 1));
  await viewer.playing(['picture', 'mic'], { looking: { picture: 'blue' } });
});

scenario('partytracks: tracks are closed by either side, the others play on', async (stage) => {
  const publisher = await stage.party({ name: 'publisher' });
  const red = await publisher.call('pushSource', 'red', 'red');
  const blue = await publisher.call('pushSource', 'blue', 'blue');
  const mic = await publisher.call('pushSource', 'mic', 'microphone');
  const viewer = await stage.party({ name: 'viewer' });
  for (const [label, metadata] of Object.entries({ red, blue, mic })) await viewer.call('pull', label, metadata);
  await viewer.playing(['red', 'blue', 'mic'], { looking: { red: 'red', blue: 'blue' } });

  await viewer.call('stopPull', 'red');
  clean(await closedByParty(viewer, 1));
  await viewer.playing(['blue', 'mic'], { looking: { blue: 'blue' } });

  await publisher.call('stopPush', 'red');
  clean(await closedByParty(publisher, 1));
  await viewer.playing(['blue', 'mic'], { looking: { blue: 'blue' } });

  await publisher.call('stopPush', 'mic');
  clean(await closedByParty(publisher, 2));
  await viewer.silent('mic');
  await viewer.playing(['blue'], { looking: { blue: 'blue' } });
});

// The package gives up a session 7 s after ICE was disconnected, and begins anew with the same names.
scenario('partytracks: both pages find their way back after the SFU has lost every session', async (stage) => {
  const publisher = await stage.party({ name: 'publisher' });
  const before = await publisher.call('pushSource', 'red', 'red');
  const viewer = await stage.party({ name: 'viewer' });
  await viewer.call('pull', 'red', before);
  await viewer.playing(['red'], { looking: { red: 'red' } });

  await stage.emulator.reset();
  const after = await poll('a push on a new session', async () => {
    const metadata = await publisher.call('metadata', 'red');
    return metadata.sessionId !== before.sessionId && metadata;
  }, { within: 40_000 });
  assert.deepEqual(after, { ...before, sessionId: after.sessionId });
  await viewer.call('repull', 'red', after);
  const views = await viewer.playing(['red'], { within: 40_000, looking: { red: 'red' } });
  assert.equal(views.red.arrivals, 2, 'the track of the new session came');
});

scenario('partytracks: twenty switches between three simulcast layers, without a freeze', async (stage, t) => {
  const publisher = await stage.party({ name: 'publisher' });
  const metadata = await publisher.call('pushSource', 'cam', 'wide camera', encodings);
  await sending(publisher);
  const viewer = await stage.party({ name: 'viewer' });
  await viewer.call('pull', 'cam', metadata, 'q');
  await viewer.playing(['cam']);
  await viewer.call('showing', 'cam', widths.q);
  await switchAround(t, viewer, 'cam', (rid, width) => viewer.call('preferAndSee', 'cam', rid, width));
  const now = (await viewer.call('views')).cam;
  assert.equal(now.arrivals, 1, 'layers were switched without a new pull');

  const before = (await updatesOf(viewer)).length;
  await viewer.call('prefer', 'cam', '');
  await poll('an answer to the last update', async () => (await updatesOf(viewer)).length > before);
  for (const answer of await updatesOf(viewer)) clean(answer);
  const calm = (await viewer.playing(['cam'])).cam;
  assert.deepEqual(calm.widths, now.widths, 'an empty preferredRid keeps the layer that is there');
});

function updatesOf(viewer) {
  return viewer.call('answers', 'tracks/update');
}
