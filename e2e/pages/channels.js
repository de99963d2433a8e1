import { Calls } from './calls.js';
import { plain } from './peer.js';

const serverEvents = { dataChannel: { location: 'remote', dataChannelName: 'server-events' } };

// Channels is a session with data channels, after Cloudflare's recipes (contract 11, flows 3 and 4). Channels are known by
// a name of the test's choice.
export class Channels extends Calls {
  #channels = new Map();

  constructor(config) {
    super(config);
    this.pc.addEventListener('datachannel', ({ channel }) => this.#keep(`in-band ${channel.label}`, channel));
  }

  // establish has the SFU offer the transport and returns the id of server-events, which the SFU opens in band.
  async establish() {
    const { sessionDescription, dataChannel } = await this.api('POST', `/${this.sessionId}/datachannels/establish`, serverEvents);
    const answer = await this.answer(sessionDescription);
    await this.api('PUT', `/${this.sessionId}/renegotiate`, { sessionDescription: answer });
    return dataChannel.id;
  }

  // establishOffering makes server-events itself and offers the transport.
  async establishOffering() {
    this.#keep('server-events', this.pc.createDataChannel('server-events'));
    await this.pc.setLocalDescription(await this.pc.createOffer());
    const body = { ...serverEvents, sessionDescription: plain(this.pc.localDescription) };
    const answer = await this.api('POST', `/${this.sessionId}/datachannels/establish`, body);
    await this.accept(answer.sessionDescription);
    await this.connected();
    return answer.dataChannel.id;
  }

  // createInband makes the next offer ask for data as well.
  createInband(name) {
    this.#keep(name, this.pc.createDataChannel(name));
  }

  // allocate publishes or subscribes {location, sessionId, dataChannelName, ...policy} and opens the page's end under a name.
  async allocate(name, item) {
    const { dataChannels } = await this.api('POST', `/${this.sessionId}/datachannels/new`, { dataChannels: [item] });
    const [{ id, errorCode, errorDescription }] = dataChannels;
    if (errorCode) throw new Error(`${name}: ${errorCode}: ${errorDescription}`);
    const { ordered, maxRetransmits, maxPacketLifeTime } = item;
    const channel = this.pc.createDataChannel(name, { negotiated: true, id, ordered, maxRetransmits, maxPacketLifeTime });
    this.#keep(name, channel);
    await this.opened(name);
    return id;
  }

  // reply grants or revokes the right to reply on a subscription.
  async reply(sessionId, dataChannelName, canReply) {
    const item = { location: 'remote', sessionId, dataChannelName, canReply };
    const { dataChannels } = await this.api('PUT', `/${this.sessionId}/datachannels/update`, { dataChannels: [item] });
    return dataChannels[0].canReply;
  }

  async closeChannels(ids) {
    const body = { dataChannels: ids.map((id) => ({ id })) };
    return (await this.api('PUT', `/${this.sessionId}/datachannels/close`, body)).dataChannels;
  }

  #keep(name, channel) {
    const kept = { channel, texts: [], sizes: [], events: [] };
    this.#channels.set(name, kept);
    channel.binaryType = 'arraybuffer';
    for (const type of ['open', 'close']) channel.addEventListener(type, () => this.#note(kept, type));
    channel.addEventListener('message', ({ data }) => {
      if (typeof data === 'string') kept.texts.push(data);
      else kept.sizes.push(data.byteLength);
      this.#draw();
    });
    if (channel.readyState === 'open') this.#note(kept, 'open');
  }

  #note(kept, type) {
    kept.events.push(type);
    this.#draw();
  }

  // draw shows every channel as a row: what a person who looks at the page sees.
  #draw() {
    const rows = [...this.#channels].map(([name, { channel, texts, sizes }]) => {
      const row = document.createElement('tr');
      const last = texts.at(-1) ?? '';
      for (const text of [name, `id ${channel.id}`, channel.readyState, `${texts.length + sizes.length} messages`, last]) {
        row.appendChild(document.createElement('td')).textContent = text;
      }
      return row;
    });
    document.querySelector('#channels').replaceChildren(...rows);
  }

  async opened(name) {
    const { channel } = this.#channels.get(name);
    if (channel.readyState === 'open') return;
    await new Promise((resolve, reject) => {
      channel.addEventListener('open', resolve, { once: true });
      setTimeout(() => reject(new Error(`${name} is ${channel.readyState} after 5 s`)), 5000);
    });
  }

  say(name, ...texts) {
    for (const text of texts) this.#channels.get(name).channel.send(text);
  }

  sayBytes(name, ...sizes) {
    for (const size of sizes) this.#channels.get(name).channel.send(new Uint8Array(size));
  }

  // count sends the numbers from `first` to `last`, one every `every` ms.
  async count(name, first, last, every) {
    for (let n = first; n <= last; n++) {
      this.say(name, String(n));
      await new Promise((resolve) => setTimeout(resolve, every));
    }
  }

  // heard is what came on a channel, and what became of it.
  heard(name) {
    const kept = this.#channels.get(name);
    if (!kept) return null;
    const { channel, texts, sizes, events } = kept;
    return { id: channel.id, state: channel.readyState, texts, sizes, events };
  }

  async channelEntries() {
    return (await this.api('GET', `/${this.sessionId}`)).dataChannels;
  }

  async state() {
    const channels = [...this.#channels.keys()].map((name) => ({ name, ...this.heard(name) }));
    return { ...(await super.state()), channels };
  }
}
