import assert from 'node:assert/strict';
import { closedByParty, partytracks } from '../lib/flows.js';
import { scenario } from '../lib/scenario.js';

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
