import { sourceOf } from './sources.js';
import { View } from './view.js';

// Calls is one session of the Calls API with its RTCPeerConnection, after Cloudflare's recipes
// (contract 11, flows 1 and 2): the page itself calls the API, with nothing but an Authorization header.
export class Calls {
  history = [];
  sessionId = '';
  pulledAt = 0; // performance.now() when the newest pull began
  #config;
  #views = new Map();

  constructor(config) {
    this.#config = config;
    this.pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
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
    this.sessionId = (await this.api('POST', '/new')).sessionId;
    return this.sessionId;
  }

  // publish pushes [{trackName, source, codec}] in one request and returns their mids once the transport is connected.
  async publish(items) {
    const sources = await Promise.all(items.map(({ source }) => sourceOf(source)));
    const transceivers = items.map((item, i) => this.#transceiver(sources[i], item));
    await this.pc.setLocalDescription(await this.pc.createOffer());
    const tracks = transceivers.map(({ mid }, i) => ({ location: 'local', mid, trackName: items[i].trackName }));
    const body = { sessionDescription: plain(this.pc.localDescription), tracks };
    const answer = await this.api('POST', `/${this.sessionId}/tracks/new`, body);
    checkItems(answer.tracks, items.length);
    await this.#apply(answer.sessionDescription);
    await this.connected();
    return transceivers.map(({ mid }) => mid);
  }

  #transceiver(track, { codec }) {
    const transceiver = this.pc.addTransceiver(track, { direction: 'sendonly' });
    if (codec) transceiver.setCodecPreferences(only(codec));
    return transceiver;
  }

  // pull receives [{sessionId, trackName}] in one request, shows the tracks and returns their mids.
  async pull(items) {
    this.pulledAt = performance.now();
    const tracks = items.map((item) => ({ location: 'remote', ...item }));
    const answer = await this.api('POST', `/${this.sessionId}/tracks/new`, { tracks });
    checkItems(answer.tracks, items.length);
    const arrivals = answer.tracks.map(({ mid }) => this.#arrival(mid));
    if (answer.requiresImmediateRenegotiation) await this.#answerOffer(answer.sessionDescription);
    const transceivers = await Promise.all(arrivals);
    transceivers.forEach(({ mid, receiver }, i) => this.#show(mid, receiver, items[i].trackName));
    return answer.tracks.map(({ mid }) => mid);
  }

  async #answerOffer(offer) {
    await this.#apply(offer);
    await this.pc.setLocalDescription(await this.pc.createAnswer());
    await this.api('PUT', `/${this.sessionId}/renegotiate`, { sessionDescription: plain(this.pc.localDescription) });
  }

  // arrival waits for the track event of a mid; clients give up after 5 s (contract 11, flow 2).
  #arrival(mid) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no track event for mid ${mid} within 5 s`)), 5000);
      const onTrack = ({ transceiver }) => {
        if (transceiver.mid !== mid) return;
        clearTimeout(timer);
        this.pc.removeEventListener('track', onTrack);
        resolve(transceiver);
      };
      this.pc.addEventListener('track', onTrack);
    });
  }

  #show(mid, receiver, trackName) {
    this.#views.set(mid, { view: new View(receiver.track, trackName), receiver });
  }

  // close stops the transceivers of these mids and negotiates that.
  async close(mids) {
    this.#transceivers(mids).forEach((transceiver) => transceiver.stop());
    await this.pc.setLocalDescription(await this.pc.createOffer());
    const answer = await this.api('PUT', `/${this.sessionId}/tracks/close`, {
      tracks: mids.map((mid) => ({ mid })),
      sessionDescription: plain(this.pc.localDescription),
      force: false,
    });
    checkItems(answer.tracks, mids.length);
    await this.#apply(answer.sessionDescription);
    mids.forEach((mid) => this.#hide(mid));
  }

  // forceClose closes mids at the SFU alone; nothing is negotiated and the transceivers stay as they are.
  async forceClose(mids) {
    const body = { tracks: mids.map((mid) => ({ mid })), force: true };
    const answer = await this.api('PUT', `/${this.sessionId}/tracks/close`, body);
    checkItems(answer.tracks, mids.length);
    return answer;
  }

  #transceivers(mids) {
    return mids.map((mid) => this.pc.getTransceivers().find((transceiver) => transceiver.mid === mid));
  }

  #hide(mid) {
    this.#views.get(mid)?.view.remove();
    this.#views.delete(mid);
  }

  async #apply(description) {
    const { candidates = '' } = this.#config;
    const sdp = candidates ? keepCandidates(description.sdp, candidates) : description.sdp;
    await this.pc.setRemoteDescription({ type: description.type, sdp });
  }

  connected() {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`transport still ${this.pc.connectionState} after 5 s`)), 5000);
      const check = () => {
        if (this.pc.connectionState !== 'connected') return;
        clearTimeout(timer);
        this.pc.removeEventListener('connectionstatechange', check);
        resolve();
      };
      this.pc.addEventListener('connectionstatechange', check);
      check();
    });
  }

  // views reads what every pulled track shows, by mid.
  async views() {
    const entries = [...this.#views].map(async ([mid, { view, receiver }]) => [mid, await view.read(receiver)]);
    return Object.fromEntries(await Promise.all(entries));
  }

  // firstPicture is the time in ms from the newest pull to the first picture of a mid, or null.
  firstPicture(mid) {
    const { firstBrightAt } = this.#views.get(mid).view;
    return firstBrightAt && firstBrightAt - this.pulledAt;
  }

  // state is what a failing test prints: the browser's view and every API call with its SDP.
  async state() {
    const { connectionState, iceConnectionState, signalingState } = this.pc;
    return { connectionState, iceConnectionState, signalingState, views: await this.views(), history: this.history };
  }

  // route names the selected candidate pair's protocol and addresses.
  async route() {
    const report = await this.pc.getStats();
    const pairs = [...report.values()].filter(({ type, nominated, state }) => {
      return type === 'candidate-pair' && nominated && state === 'succeeded';
    });
    const remote = pairs.map((pair) => report.get(pair.remoteCandidateId))[0];
    return remote && { protocol: remote.protocol, address: remote.address, port: remote.port };
  }

  async sent() {
    const report = await this.pc.getStats();
    const outbound = [...report.values()].filter(({ type }) => type === 'outbound-rtp');
    return outbound.map(({ kind, bytesSent, framesSent }) => ({ kind, bytesSent, framesSent }));
  }
}

function plain({ type, sdp }) {
  return { type, sdp };
}

function checkItems(tracks, count) {
  const failed = tracks.find(({ errorCode }) => errorCode);
  if (failed) throw new Error(`item ${JSON.stringify(failed)}`);
  if (tracks.length !== count) throw new Error(`${tracks.length} items in the answer instead of ${count}`);
}

// only lists one codec and its retransmission format.
function only(mimeType) {
  const { codecs } = RTCRtpSender.getCapabilities('video');
  const chosen = codecs.filter((codec) => codec.mimeType.toLowerCase() === mimeType.toLowerCase());
  if (!chosen.length) throw new Error(`this browser cannot encode ${mimeType}`);
  return [...chosen, ...codecs.filter((codec) => codec.mimeType === 'video/rtx')];
}

// keepCandidates drops the candidates of every other transport ("udp" or "tcp").
function keepCandidates(sdp, transport) {
  const keep = (line) => !line.startsWith('a=candidate:') || line.split(' ')[2].toLowerCase() === transport;
  return sdp.split('\r\n').filter(keep).join('\r\n');
}
