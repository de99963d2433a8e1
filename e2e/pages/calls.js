import { Peer } from './peer.js';

// Calls is one session of the Calls API with its RTCPeerConnection, after Cloudflare's recipes
// (contract 11, flows 1 and 2): the page itself calls the API, with nothing but an Authorization header.
export class Calls extends Peer {
  history = [];
  sessionId = '';
  pulledAt = 0; // performance.now() when the newest pull began
  #config;

  constructor(config) {
    super(config);
    this.#config = config;
  }

  async api(method, path, body) {
    const { baseUrl, appId, secret } = this.#config;
    const response = await fetch(`${baseUrl}/apps/${appId}/sessions${path}`, {
      method,
      headers: { Authorization: `Bearer ${secret}` },
      body: body && JSON.stringify(body),
    });
    const answer = await response.json();
    this.history.push({ method, path, body, status: response.status, answer });
    if (!response.ok || answer.errorCode) {
      throw new Error(`${method} ${path}: ${response.status} ${answer.errorCode}: ${answer.errorDescription}`);
    }
    return answer;
  }

  async open() {
    if (this.#config.relay) await this.#relayOnly(this.#config.relay);
    this.sessionId = (await this.api('POST', '/new')).sessionId;
    return this.sessionId;
  }

  // openSending begins the session with an offer, in which the tracks have no names yet (contract 11, flow 5).
  async openSending(items) {
    const transceivers = await this.send(items);
    const answer = await this.api('POST', '/new', { sessionDescription: await this.offer() });
    this.sessionId = answer.sessionId;
    await this.accept(answer.sessionDescription);
    await this.connected();
    return { sessionId: this.sessionId, mids: transceivers.map(({ mid }) => mid) };
  }

  // relayOnly leaves the page nothing but TURN over that transport: udp, tcp or tls (contract 7.3, 11 flow 13).
  async #relayOnly(transport) {
    const iceServers = await this.relays(transport);
    this.pc.setConfiguration({ bundlePolicy: 'max-bundle', iceServers, iceTransportPolicy: 'relay' });
  }

  // relays is what generate-ice-servers says, without the URLs of other transports.
  async relays(transport) {
    const response = await fetch(`${this.#config.baseUrl}/turn/keys/e2e/credentials/generate-ice-servers`, {
      method: 'POST',
      headers: { Authorization: 'Bearer any-token' },
      body: JSON.stringify({ ttl: 86400 }),
    });
    if (response.status !== 201) throw new Error(`generate-ice-servers: ${response.status} ${await response.text()}`);
    const { iceServers } = await response.json();
    const [start, end] = transport === 'tls' ? ['turns:', '?transport=tcp'] : ['turn:', `?transport=${transport}`];
    const kept = (urls) => urls.filter((url) => url.startsWith(start) && url.endsWith(end));
    return iceServers.map((server) => ({ ...server, urls: kept(server.urls) })).filter(({ urls }) => urls.length > 0);
  }

  // publish pushes [{trackName, source, codec, encodings}] in one request and returns their mids once the transport is
  // connected.
  async publish(items) {
    const transceivers = await this.send(items);
    const sessionDescription = await this.offer();
    const tracks = transceivers.map(({ mid }, i) => ({ location: 'local', mid, trackName: items[i].trackName }));
    const answer = await this.#tracks({ sessionDescription, tracks });
    await this.accept(answer.sessionDescription);
    await this.connected();
    return transceivers.map(({ mid }) => mid);
  }

  // publishUnoffered pushes [{trackName, kind, source, bidirectionalMediaStream}] on sections that the SFU offers
  // (contract 1.3, case E).
  async publishUnoffered(items) {
    const tracks = items.map(({ source, ...item }) => ({ location: 'local', ...item }));
    const answer = await this.#tracks({ tracks });
    const sending = answer.tracks.map(({ mid }, i) => [mid, items[i].source]);
    await this.#answerOffer(answer.sessionDescription, Object.fromEntries(sending));
    await this.connected();
    return answer.tracks.map(({ mid }) => mid);
  }

  // name publishes sections of an earlier exchange: [{mid, trackName}].
  async name(items) {
    return this.#tracks({ tracks: items.map((item) => ({ location: 'local', ...item })) });
  }

  // pull receives [{sessionId, trackName, simulcast}] in one request, shows the tracks and returns their mids.
  async pull(items) {
    this.pulledAt = performance.now();
    const answer = await this.#tracks({ tracks: items.map((item) => ({ location: 'remote', ...item })) });
    const arrivals = answer.tracks.map(({ mid }) => this.arrival(mid));
    if (answer.requiresImmediateRenegotiation) await this.#answerOffer(answer.sessionDescription);
    await Promise.all(arrivals);
    return this.#showAll(answer.tracks);
  }

  // pullOffering does the same with the page's own offer of one section for each item (contract 1.3, case D).
  async pullOffering(items) {
    const added = items.map(({ kind }) => this.pc.addTransceiver(kind, { direction: 'recvonly' }));
    const sessionDescription = await this.offer();
    const tracks = items.map((item, i) => ({ location: 'remote', mid: added[i].mid, ...item }));
    const answer = await this.#tracks({ sessionDescription, tracks });
    await this.accept(answer.sessionDescription);
    await this.connected();
    return this.#showAll(answer.tracks);
  }

  // pullInto sends a track to a transceiver of a track that this session publishes, without SDP (contract 1.3, case C).
  async pullInto(name, item) {
    const answer = await this.#tracks({ tracks: [{ location: 'remote', mid: `#${name}`, ...item }] });
    if (answer.sessionDescription) throw new Error('a pull into a transceiver came with SDP');
    return this.#showAll(answer.tracks)[0];
  }

  async #tracks(body) {
    const answer = await this.api('POST', `/${this.sessionId}/tracks/new`, body);
    checkItems(answer.tracks, body.tracks.length);
    return answer;
  }

  #showAll(tracks) {
    tracks.forEach(({ mid, trackName }) => this.show(mid, trackName));
    return tracks.map(({ mid }) => mid);
  }

  async #answerOffer(offer, sending) {
    const sessionDescription = await this.answer(offer, sending);
    await this.api('PUT', `/${this.sessionId}/renegotiate`, { sessionDescription });
  }

  // update changes what is sent on mids: [{mid, sessionId, trackName, simulcast}].
  async update(items) {
    const tracks = items.map((item) => ({ location: 'remote', ...item }));
    const answer = await this.api('PUT', `/${this.sessionId}/tracks/update`, { tracks });
    checkItems(answer.tracks, items.length);
    return answer;
  }

  // switchTo asks for another layer and returns the ms from the request to the first picture of the new width.
  async switchTo(item, width) {
    const asked = performance.now();
    const shown = this.showing(item.mid, width);
    await Promise.all([shown, this.update([item])]);
    return (await shown) - asked;
  }

  // restart renews ICE by an offer to renegotiate (contract 1.4), and returns the far end's old and new user name, and the
  // page's own.
  async restart() {
    const before = ufrag(this.pc.remoteDescription);
    this.pc.restartIce();
    const sessionDescription = await this.offer();
    const answer = await this.api('PUT', `/${this.sessionId}/renegotiate`, { sessionDescription });
    await this.accept(answer.sessionDescription);
    return { before, after: ufrag(this.pc.remoteDescription), localUfrag: ufrag(this.pc.localDescription) };
  }

  // close stops the transceivers of these mids and negotiates that.
  async close(mids) {
    mids.forEach((mid) => this.transceiver(mid).stop());
    const sessionDescription = await this.offer();
    const tracks = mids.map((mid) => ({ mid }));
    const answer = await this.api('PUT', `/${this.sessionId}/tracks/close`, { tracks, sessionDescription, force: false });
    checkItems(answer.tracks, mids.length);
    await this.accept(answer.sessionDescription);
    mids.forEach((mid) => this.hide(mid));
  }

  // forceClose closes mids at the SFU alone; nothing is negotiated and the transceivers stay as they are.
  async forceClose(mids) {
    const body = { tracks: mids.map((mid) => ({ mid })), force: true };
    const answer = await this.api('PUT', `/${this.sessionId}/tracks/close`, body);
    checkItems(answer.tracks, mids.length);
    return answer;
  }

  // entries lists the session's tracks as the SFU sees them.
  async entries() {
    return (await this.api('GET', `/${this.sessionId}`)).tracks;
  }

  // firstPicture is the time in ms from the newest pull to the first picture of a mid, or null.
  firstPicture(mid) {
    const { firstBrightAt } = this.view(mid);
    return firstBrightAt && firstBrightAt - this.pulledAt;
  }

  async state() {
    return { ...(await super.state()), history: this.history };
  }
}

function checkItems(tracks, count) {
  const failed = tracks.find(({ errorCode }) => errorCode);
  if (failed) throw new Error(`item ${JSON.stringify(failed)}`);
  if (tracks.length !== count) throw new Error(`${tracks.length} items in the answer instead of ${count}`);
}

function ufrag({ sdp }) {
  return sdp.match(/^a=ice-ufrag:(\S+)/m)[1];
}
