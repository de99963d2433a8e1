import assert from 'node:assert/strict';
import { Api } from '../lib/api.js';
import { scenario } from '../lib/scenario.js';
import { encodings, sending, widths } from '../lib/simulcast.js';

// The sequences of calls of other clients than the recipe and partytracks (contract 11).

scenario('legacy echo: one page publishes and pulls back, with text bodies', async (stage) => {
  const page = await stage.client('echo');
  await page.call('run');
  await page.playing(['0', '1']);
  assert.deepEqual(await page.call('errors'), []);
});

scenario("legacy echo with simulcast: updates by the publisher's mid change the layer", async (stage) => {
  const page = await stage.client('echo');
  await page.call('run', encodings);
  await page.playing(['0', '1']);
  await sending(page);
  for (const rid of ['q', 'h', 'f', 'q']) await page.call('change', rid, widths[rid]);
  assert.deepEqual(await page.call('errors'), []);
});

scenario('WHIP and WHEP: a worker takes an encoder in, and serves players who offer and players who answer', async (stage) => {
  const encoder = await stage.client('whip', { name: 'encoder' });
  await encoder.call('publish', 'live', [{ source: 'microphone' }, { source: 'red' }]);
  const offering = await stage.client('whip', { name: 'offering' });
  const mids = await offering.call('play', 'live', ['audio', 'video']);
  await offering.playing(mids, { looking: { [mids[1]]: 'red' } });
  const answering = await stage.client('whip', { name: 'answering' });
  const others = await answering.call('playOffered', 'live');
  await answering.playing(others, { looking: { [others[1]]: 'red' } });

  await encoder.call('stop');
  await Promise.all([offering.silent(mids[1]), answering.silent(others[1])]);
});

// relay bridges a user and a third party that does not know the API: a bidirectional section at either side, and a session
// that does full ICE towards the third party. The pulls do not wait until the answers have been applied.
scenario('relay: a user and a third party hear each other through one section each', async (stage) => {
  const api = new Api(stage.emulator);
  const user = await stage.client('peer', { name: 'user' });
  const party = await stage.client('peer', { name: 'party' });
  const [userSession, partySession] = [await api.open('?streamDebug'), await api.open('?thirdparty=true')];
  const local = { location: 'local', kind: 'audio', bidirectionalMediaStream: true };

  const offer = await user.call('offerOf', [{ source: 'microphone', bidirectional: true }]);
  const tracks = [{ ...local, trackName: 'user', mid: '0' }];
  const pushed = await api.tracks(userSession, { sessionDescription: offer, tracks });
  const made = await api.tracks(partySession, { tracks: [{ ...local, trackName: 'party' }] });
  assert.equal(made.sessionDescription.type, 'offer');
  await party.call('answer', made.sessionDescription, { [made.tracks[0].mid]: 'microphone' });
  const { sdp } = await party.call('gathered');
  assert.equal(await api.renegotiate(partySession, 'answer', sdp), 200);

  const [, ...pulls] = await Promise.all([
    user.call('accept', pushed.sessionDescription),
    api.tracks(userSession, { tracks: [remote(partySession, 'party', '#user')] }),
    api.tracks(partySession, { tracks: [remote(userSession, 'user', '#party')] }),
  ]);
  for (const { tracks, sessionDescription } of pulls) {
    assert.deepEqual([tracks[0].errorDescription, sessionDescription], [undefined, undefined]);
  }
  for (const page of [user, party]) {
    assert.equal(await page.call('direction', '0'), 'sendrecv');
    await page.call('show', '0');
    await page.playing(['0']);
  }
});

function remote(sessionId, trackName, mid) {
  return { location: 'remote', sessionId, trackName, mid };
}

scenario('video room: two sessions for each member, forced closes, and GET says what is there', async (stage) => {
  const [one, two] = [await stage.client('room', { name: 'one' }), await stage.client('room', { name: 'two' })];
  const ofOne = await one.call('join', [{ trackName: 'mic', source: 'microphone' }, { trackName: 'red', source: 'red' }]);
  const ofTwo = await two.call('join', [{ trackName: 'mic', source: 'microphone' }, { trackName: 'blue', source: 'blue' }]);
  const inOne = await one.call('watch', ofTwo);
  const inTwo = await two.call('watch', ofOne);
  await Promise.all([
    one.playing(inOne, { looking: { [inOne[1]]: 'blue' } }),
    two.playing(inTwo, { looking: { [inTwo[1]]: 'red' } }),
  ]);
  assert.deepEqual(await live(one), { published: ['mic', 'red'], received: ['mic', 'blue'] });

  await one.call('unpublish', ['1']);
  await two.silent(inTwo[1]);
  await two.call('unwatch', [inTwo[1]]);
  await one.call('unwatch', [inOne[0]]);
  await Promise.all([two.playing([inTwo[0]]), one.playing([inOne[1]])]);
  assert.deepEqual(await live(one), { published: ['mic'], received: ['blue'] });
  assert.deepEqual(await live(two), { published: ['mic', 'blue'], received: ['mic'] });
});

// live names the active tracks of a member's sessions.
async function live(member) {
  const names = (tracks) => tracks.filter(({ status }) => status === 'active').map(({ trackName }) => trackName);
  const { published, received } = await member.call('entries');
  return { published: names(published), received: names(received) };
}
