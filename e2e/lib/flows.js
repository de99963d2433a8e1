import { poll } from './poll.js';

// The two flows that everything else stands on; the tests play them once, `npm run repeat` many times.

// recipe: one page publishes camera and microphone after Cloudflare's recipe, another one pulls both. `options` are those of
// both pages.
export async function recipe(stage, options) {
  const publisher = await stage.page({ name: 'publisher', ...options });
  await publisher.call('publish', [
    { trackName: 'mic', source: 'microphone' },
    { trackName: 'cam', source: 'camera' },
  ]);
  const viewer = await stage.page({ name: 'viewer', ...options });
  const mids = await viewer.call('pull', tracksOf(publisher, 'mic', 'cam'));
  await viewer.playing(mids);
  return { publisher, viewer, mids };
}

// partytracks: the same with Cloudflare's own client, whose server half runs in our test server.
export async function partytracks(stage) {
  const publisher = await stage.party({ name: 'publisher' });
  const [cam, mic] = await Promise.all(['camera', 'microphone'].map((name) => publisher.call('pushDevice', name)));
  const viewer = await stage.party({ name: 'viewer' });
  await Promise.all([viewer.call('pull', 'cam', cam), viewer.call('pull', 'mic', mic)]);
  await viewer.playing(['cam', 'mic']);
  return { publisher, viewer };
}

// tracksOf names tracks of a page's session as a pull request wants them.
export function tracksOf(publisher, ...trackNames) {
  return trackNames.map((trackName) => ({ sessionId: publisher.sessionId, trackName }));
}

// closedByParty waits until a partytracks page has closed `count` times, and returns the last answer.
export async function closedByParty(tab, count) {
  const answers = await poll(`${tab.name}: ${count} answers to tracks/close`, async () => {
    const all = await tab.call('answers', 'tracks/close');
    return all.length >= count && all;
  });
  return answers.at(-1);
}
