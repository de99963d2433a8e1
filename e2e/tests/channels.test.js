import assert from 'node:assert/strict';
import { Lossy } from '../lib/lossy.js';
import { poll } from '../lib/poll.js';
import { scenario } from '../lib/scenario.js';

// Data channels in real browsers (contract 1.9 to 1.12, 4, 11 flows 3 and 4).

const page = async (stage, name, options) => {
  const tab = await stage.client('channels', { name, ...options });
  tab.sessionId = await tab.call('open');
  return tab;
};

const connected = async (stage, name, options) => {
  const tab = await page(stage, name, options);
  assert.equal(await tab.call('establish'), 0, 'server-events has id 0');
  return tab;
};

const local = (dataChannelName, policy) => ({ location: 'local', dataChannelName, ...policy });
const remote = ({ sessionId }, dataChannelName, policy) => ({ location: 'remote', sessionId, dataChannelName, ...policy });

// hears waits until the last texts that came on a channel are these.
const hears = (tab, name, ...texts) => poll(
  `${tab.name} hears ${texts} on ${name}`,
  async () => {
    const heard = await tab.call('heard', name);
    return texts.every((text, i) => heard.texts.at(i - texts.length) === text);
  },
  { describe: async () => JSON.stringify(await tab.call('heard', name)) },
);

// closed waits until the page's end of a channel has closed.
const closed = (tab, name) => poll(`${name} closes at ${tab.name}`, async () => (await tab.call('heard', name)).state === 'closed');

// linked sends until a message arrives, since what is sent before the other end is open is lost.
const linked = async (from, to, name) => {
  let n = 0;
  await poll(`${name} reaches ${to.name}`, async () => {
    await from.call('say', name, `link ${++n}`);
    return (await to.call('heard', name)).texts.length > 0;
  });
};

scenario('messages of every kind pass between two pages, and server-events stays open', async (stage) => {
  const a = await connected(stage, 'a');
  const b = await connected(stage, 'b');
  assert.equal(await a.call('allocate', 'chat', local('chat')), 1);
  assert.equal(await b.call('allocate', 'chat', remote(a, 'chat')), 1);
  await linked(a, b, 'chat');
  await a.call('say', 'chat', 'one', '', 'three');
  await a.call('sayBytes', 'chat', 1, 16384, 65536);
  await hears(b, 'chat', 'one', '', 'three');
  await poll('the bytes arrive', async () => (await b.call('heard', 'chat')).sizes.join() === '1,16384,65536');
  await a.call('say', 'in-band server-events', 'nobody listens');
  await b.call('say', 'chat', 'to nobody');
  await a.call('say', 'chat', 'end');
  await hears(b, 'chat', 'end');
  const events = await a.call('heard', 'in-band server-events');
  assert.deepEqual([events.id, events.state, events.texts.length], [0, 'open', 0]);
  assert.equal((await a.call('heard', 'chat')).texts.length, 0, 'a subscriber without canReply reaches nobody');
  assert.deepEqual(await b.call('channelEntries'),
    [{ location: 'remote', sessionId: a.sessionId, dataChannelName: 'chat', id: 1, status: 'active' }]);
});

scenario('a page that offers the transport itself keeps its in-band channel', async (stage) => {
  const a = await page(stage, 'a');
  assert.equal(await a.call('establishOffering'), 0);
  const b = await connected(stage, 'b');
  await a.call('allocate', 'chat', local('chat'));
  await b.call('allocate', 'chat', remote(a, 'chat'));
  await a.call('opened', 'server-events');
  await a.call('say', 'server-events', 'nobody listens');
  await linked(a, b, 'chat');
  const { id, state } = await a.call('heard', 'server-events');
  assert.deepEqual([id, state], [0, 'open']);
});

scenario('waitForAck holds messages until the first one of the subscriber', async (stage) => {
  const a = await connected(stage, 'a');
  const open = await connected(stage, 'open');
  const gated = await connected(stage, 'gated');
  await a.call('allocate', 'chat', local('chat'));
  await open.call('allocate', 'chat', remote(a, 'chat'));
  await gated.call('allocate', 'chat', remote(a, 'chat', { waitForAck: true, canReply: true }));
  await linked(a, open, 'chat');
  assert.equal((await gated.call('heard', 'chat')).texts.length, 0);
  await gated.call('say', 'chat', 'ack');
  await linked(a, gated, 'chat');
  await gated.call('say', 'chat', 'reply');
  await hears(a, 'chat', 'reply');
  assert.equal((await a.call('heard', 'chat')).texts.length, 1, 'the acknowledgement is consumed');
});

scenario('the right to reply passes from one page to another', async (stage) => {
  const a = await connected(stage, 'a');
  const b = await connected(stage, 'b');
  const c = await connected(stage, 'c');
  await a.call('allocate', 'input', local('input'));
  await b.call('allocate', 'input', remote(a, 'input', { canReply: true }));
  await c.call('allocate', 'input', remote(a, 'input'));
  await linked(a, b, 'input');
  await linked(a, c, 'input');
  await b.call('say', 'input', 'b steers');
  await hears(a, 'input', 'b steers');
  assert.equal(await c.call('reply', a.sessionId, 'input', true), true);
  await c.call('say', 'input', 'c steers');
  await hears(a, 'input', 'c steers');
  await b.call('say', 'input', 'b no more');
  assert.equal(await c.call('reply', a.sessionId, 'input', false), false);
  assert.equal(await b.call('reply', a.sessionId, 'input', true), true);
  await b.call('say', 'input', 'b again');
  await hears(a, 'input', 'c steers', 'b again');
});

scenario('a channel that is closed by id closes in the page, and the name can be used again', async (stage) => {
  const a = await connected(stage, 'a');
  const b = await connected(stage, 'b');
  await a.call('allocate', 'chat', local('chat'));
  await b.call('allocate', 'chat', remote(a, 'chat'));
  await linked(a, b, 'chat');
  assert.deepEqual(await b.call('closeChannels', [1]),
    [{ location: 'remote', sessionId: a.sessionId, dataChannelName: 'chat', id: 1 }]);
  await closed(b, 'chat');
  await b.call('allocate', 'chat', remote(a, 'chat'));
  await linked(a, b, 'chat');
  await a.call('closeChannels', [1]);
  await closed(a, 'chat');
  await a.call('allocate', 'chat', local('chat'));
});

scenario('over a network that loses packets, a reliable channel loses nothing and an unreliable one does', async (stage, t) => {
  const { candidates } = await (await fetch(new URL('/readyz', stage.emulator.baseUrl))).json();
  const { address } = candidates.find(({ protocol, address }) => protocol === 'udp' && address.startsWith('127.0.0.1:'));
  const lossy = await Lossy.start({ address: '127.0.0.1', port: Number(address.split(':')[1]) });
  try {
    await stage.emulator.advertise([lossy.address]);
    const b = await connected(stage, 'lossy', { candidates: 'udp' });
    await stage.emulator.advertise([]);
    const a = await connected(stage, 'a');
    await a.call('allocate', 'reliable', local('reliable'));
    await a.call('allocate', 'lossy', local('lossy', { ordered: false, maxRetransmits: 0 }));
    await b.call('allocate', 'reliable', remote(a, 'reliable'));
    await b.call('allocate', 'lossy', remote(a, 'lossy', { ordered: false, maxRetransmits: 0 }));
    await linked(a, b, 'reliable');
    await linked(a, b, 'lossy');
    lossy.loss = 0.1;
    const last = 400;
    await Promise.all([a.call('count', 'reliable', 1, last, 5), a.call('count', 'lossy', 1, last, 5)]);
    await hears(b, 'reliable', String(last - 1), String(last));
    lossy.loss = 0;
    const numbers = async (name) => (await b.call('heard', name)).texts.filter((text) => /^\d+$/.test(text)).map(Number);
    assert.deepEqual(await numbers('reliable'), Array.from({ length: last }, (_, i) => i + 1));
    const some = await numbers('lossy');
    t.diagnostic(`${lossy.lost} packets lost on the way, ${some.length} of ${last} unreliable messages arrived`);
    assert.ok(lossy.lost > 20, 'the network lost packets');
    assert.ok(some.length < last && some.length > last / 2, `${some.length} of ${last} unreliable messages arrived`);
    assert.equal(new Set(some).size, some.length, 'no message came twice');
  } finally {
    await lossy.stop();
  }
});

for (const [name, begin] of Object.entries({
  'media, then data': async (tab) => {
    await tab.call('publish', [{ trackName: 'red', source: 'red' }]);
    await tab.call('establish');
  },
  'data, then media': async (tab) => {
    await tab.call('establish');
    await tab.call('publish', [{ trackName: 'red', source: 'red' }]);
  },
  'both in the first offer': async (tab) => {
    await tab.call('createInband', 'server-events');
    await tab.call('publish', [{ trackName: 'red', source: 'red' }]);
  },
})) {
  scenario(`one connection carries ${name}`, async (stage) => {
    const a = await page(stage, 'a');
    await begin(a);
    await a.call('allocate', 'chat', local('chat'));
    const b = await connected(stage, 'b');
    const [mid] = await b.call('pull', [{ sessionId: a.sessionId, trackName: 'red' }]);
    await b.call('allocate', 'chat', remote(a, 'chat'));
    await linked(a, b, 'chat');
    await b.playing([mid], { looking: { [mid]: 'red' } });
    await a.call('say', 'chat', 'beside the picture');
    await hears(b, 'chat', 'beside the picture');
  });
}

// Closing the section that carries the BUNDLE transport makes Chromium begin a new one (clients of contract 1.6).
scenario('data channels go on when the section of the transport is closed', async (stage) => {
  const a = await page(stage, 'a');
  const [first] = await a.call('publish', [{ trackName: 'red', source: 'red' }, { trackName: 'blue', source: 'blue' }]);
  await a.call('establish');
  await a.call('allocate', 'chat', local('chat'));
  const b = await connected(stage, 'b');
  await b.call('allocate', 'chat', remote(a, 'chat'));
  const [mid] = await b.call('pull', [{ sessionId: a.sessionId, trackName: 'blue' }]);
  await linked(a, b, 'chat');
  await a.call('close', [first]);
  await b.playing([mid], { looking: { [mid]: 'blue' } });
  await a.call('say', 'chat', 'over the new transport');
  await hears(b, 'chat', 'over the new transport');
  assert.equal((await a.call('heard', 'chat')).state, 'open');
});

scenario('Chromium and Firefox send each other messages', async (stage) => {
  const a = await connected(stage, 'chromium');
  const b = await connected(stage, 'firefox', { browser: 'firefox' });
  await a.call('allocate', 'there', local('there'));
  await b.call('allocate', 'back', local('back'));
  await b.call('allocate', 'there', remote(a, 'there'));
  await a.call('allocate', 'back', remote(b, 'back'));
  await linked(a, b, 'there');
  await linked(b, a, 'back');
  await a.call('sayBytes', 'there', 65536);
  await poll('the bytes arrive', async () => (await b.call('heard', 'there')).sizes.join() === '65536');
});
