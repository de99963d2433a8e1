import assert from 'node:assert/strict';
import { Api } from '../lib/api.js';
import { Endpoint } from '../lib/endpoint.js';
import { tracksOf } from '../lib/flows.js';
import { share, syllables } from '../lib/pcm.js';
import { poll } from '../lib/poll.js';
import { scenario } from '../lib/scenario.js';

// WebSocket adapters between real browsers and an application's endpoint (contract 5, 11 flow 12).

const second = 48_000 * 4; // bytes of PCM

const withEndpoint = (name, act) =>
  scenario(name, async (stage) => {
    const endpoint = await Endpoint.start();
    try {
      await act(stage, endpoint);
    } finally {
      await endpoint.stop();
    }
  });

// adapter asks again, as an application does, while the source has no media yet (contract 5.1, not_found_track_error).
const adapter = async (stage, item) => {
  const api = new Api(stage.emulator);
  return poll(`an adapter for ${item.trackName}`, async () => {
    const { status, answer } = await api.adapter({ tracks: [item] });
    if (status === 503 && answer.tracks[0].errorCode === 'not_found_track_error') return null;
    assert.equal(status, 200, JSON.stringify(answer));
    return answer.tracks[0];
  });
};

withEndpoint('a tone that a page publishes arrives as PCM of that frequency', async (stage, endpoint) => {
  const publisher = await stage.page({ name: 'publisher' });
  await publisher.call('publish', [{ trackName: 'tone', source: 'tone 440' }]);
  const { sessionId } = publisher;
  await adapter(stage, { location: 'remote', sessionId, trackName: 'tone', endpoint: endpoint.url, outputCodec: 'pcm' });
  let shares;
  await poll(
    'a second of 440 Hz',
    () => {
      const pcm = Buffer.concat(endpoint.payloads);
      if (pcm.length < 2 * second) return false;
      endpoint.payloads.length = 0;
      shares = share(pcm.subarray(-second), 440);
      return shares.every((part) => part >= 0.99);
    },
    { within: 30_000, describe: () => `shares of 440 Hz, left and right: ${shares}` },
  );
});

withEndpoint('a sentence that an endpoint sends at once is heard by a page', async (stage, endpoint) => {
  const item = { location: 'local', trackName: 'voice', endpoint: endpoint.url, inputCodec: 'pcm' };
  const { sessionId } = await adapter(stage, item);
  const viewer = await stage.page({ name: 'viewer' });
  const [mid] = await viewer.call('pull', tracksOf({ sessionId }, 'voice'));
  endpoint.say(syllables(660, 8));
  const heard = async () => (await viewer.call('views'))[mid];
  let now;
  await poll(
    'the voice is heard',
    async () => {
      now = await heard();
      return now.peak > 0.1 && Math.abs(now.pitch - 660) < 10;
    },
    { within: 20_000, describe: () => JSON.stringify(now) },
  );
});

withEndpoint('what a page publishes arrives as JPEGs of what another page shows', async (stage, endpoint) => {
  const publisher = await stage.page({ name: 'publisher' });
  await publisher.call('publish', [{ trackName: 'cam', source: 'camera', codec: 'video/VP8' }]);
  const viewer = await stage.page({ name: 'viewer' });
  const [mid] = await viewer.call('pull', tracksOf(publisher, 'cam'));
  await viewer.playing([mid]);
  const { sessionId } = publisher;
  await adapter(stage, { location: 'remote', sessionId, trackName: 'cam', endpoint: endpoint.url, outputCodec: 'jpeg' });
  await poll('three pictures', () => endpoint.payloads.length >= 3);
  const shown = (await viewer.call('views'))[mid];
  const picture = await viewer.call('picture', endpoint.payloads.at(-1).toString('base64'));
  assert.deepEqual(picture.size, shown.size, 'the size of the newest JPEG');
  const apart = picture.mean.map((value, i) => Math.abs(value - shown.mean[i]));
  assert.ok(Math.max(...apart) < 20, `mean colour ${picture.mean} of the JPEG, ${shown.mean} on the page`);
});
