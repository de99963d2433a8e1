import { sourceOf } from './sources.js';
import { sentOf } from './stats.js';
import { pictureOf, View } from './view.js';

// Peer is one RTCPeerConnection with what it sends and shows. It calls no API: SDP comes from and goes to its user, which
// is a class that extends it, or a test that plays an application's backend.
export class Peer {
  #candidates;
  #views = new Map();
  #iceErrors = []; // failures of STUN and TURN servers, one for each address of this machine from which one was asked

  // candidates, "udp" or "tcp", keeps only those of the far end.
  constructor({ candidates = '' } = {}) {
    this.#candidates = candidates;
    this.pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    this.pc.addEventListener('icecandidateerror', ({ url, address, errorCode, errorText }) => {
      this.#iceErrors.push({ url, address, errorCode, errorText });
    });
  }

  // send adds a transceiver for each [{source, codec, encodings, bidirectional}].
  async send(items) {
    const sources = await Promise.all(items.map(({ source }) => sourceOf(source)));
    return items.map((item, i) => this.#transceiver(sources[i], item));
  }

  #transceiver(track, { codec, encodings, bidirectional }) {
    const direction = bidirectional ? 'sendrecv' : 'sendonly';
    const transceiver = this.pc.addTransceiver(track, { direction, sendEncodings: encodings ?? [{}] });
    if (codec) transceiver.setCodecPreferences(only(codec));
    return transceiver;
  }

  // offer is a new local offer, without candidates: the SFU needs none.
  async offer() {
    await this.pc.setLocalDescription(await this.pc.createOffer());
    return plain(this.pc.localDescription);
  }

  // offerOf adds transceivers for these items and offers them.
  async offerOf(items) {
    await this.send(items);
    return this.offer();
  }

  async accept({ type, sdp }) {
    await this.pc.setRemoteDescription({ type, sdp: this.#candidates ? keep(sdp, this.#candidates) : sdp });
  }

  // answer takes an offer. `sending` is {mid: source} of the sections on which this side sends.
  async answer(offer, sending = {}) {
    await this.accept(offer);
    for (const [mid, source] of Object.entries(sending)) {
      const transceiver = this.transceiver(mid);
      transceiver.direction = transceiver.direction === 'recvonly' ? 'sendrecv' : 'sendonly';
      await transceiver.sender.replaceTrack(await sourceOf(source));
    }
    await this.pc.setLocalDescription(await this.pc.createAnswer());
    return plain(this.pc.localDescription);
  }

  // gathered is the local description once it has all candidates, for a far end that does full ICE.
  async gathered() {
    await this.#until('icegatheringstatechange', () => this.pc.iceGatheringState === 'complete');
    return plain(this.pc.localDescription);
  }

  transceiver(mid) {
    return this.pc.getTransceivers().find((transceiver) => transceiver.mid === mid);
  }

  direction(mid) {
    return this.transceiver(mid).currentDirection;
  }

  // show plays what a mid receives.
  show(mid, label = mid) {
    this.hide(mid);
    const { receiver } = this.transceiver(mid);
    this.#views.set(mid, { view: new View(receiver.track, label), receiver });
  }

  hide(mid) {
    this.#views.get(mid)?.view.remove();
    this.#views.delete(mid);
  }

  // arrival waits for the track event of a mid; clients give up after 5 s (contract 11, flow 2).
  arrival(mid) {
    return this.#until('track', (event) => event?.transceiver.mid === mid, `no track event for mid ${mid}`);
  }

  connected() {
    return this.#until('connectionstatechange', () => this.pc.connectionState === 'connected', 'not connected');
  }

  #until(type, done, otherwise = `no ${type}`) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${otherwise} within 5 s`)), 5000);
      const check = (event) => {
        if (!done(event)) return;
        clearTimeout(timer);
        this.pc.removeEventListener(type, check);
        resolve();
      };
      this.pc.addEventListener(type, check);
      check();
    });
  }

  // setLayer switches one simulcast encoding that a mid sends on or off.
  async setLayer(mid, rid, active) {
    const { sender } = this.transceiver(mid);
    const parameters = sender.getParameters();
    parameters.encodings.find((encoding) => encoding.rid === rid).active = active;
    await sender.setParameters(parameters);
  }

  // views reads what every shown track plays, by mid.
  async views() {
    const entries = [...this.#views].map(async ([mid, { view, receiver }]) => [mid, await view.read(receiver)]);
    return Object.fromEntries(await Promise.all(entries));
  }

  // picture measures a JPEG as views() measures what is shown.
  picture(base64) {
    return pictureOf(base64);
  }

  view(mid) {
    return this.#views.get(mid).view;
  }

  // showing waits until a mid's picture has this width and returns performance.now() of its first frame.
  showing(mid, width, within) {
    return this.view(mid).showing(width, within);
  }

  // route names the far end of the candidate pair in use, and what the near one is: `relay` is how it reaches its TURN server.
  async route() {
    const report = await this.pc.getStats();
    const transport = [...report.values()].find(({ type }) => type === 'transport');
    const pair = report.get(transport?.selectedCandidatePairId);
    const remote = report.get(pair?.remoteCandidateId);
    if (!remote) return null;
    const { protocol, address, port } = remote;
    const { usernameFragment: localUfrag, candidateType: type, relayProtocol: relay } = report.get(pair.localCandidateId);
    return { protocol, address, port, localUfrag, type, relay };
  }

  sent() {
    return sentOf(this.pc);
  }

  // state is what a failing test prints.
  async state() {
    const { connectionState, iceConnectionState, signalingState } = this.pc;
    return { connectionState, iceConnectionState, signalingState, iceErrors: this.#iceErrors, sent: await this.sent(), views: await this.views() };
  }
}

export function plain({ type, sdp }) {
  return { type, sdp };
}

// only lists one codec and its retransmission format.
function only(mimeType) {
  const { codecs } = RTCRtpSender.getCapabilities('video');
  const chosen = codecs.filter((codec) => codec.mimeType.toLowerCase() === mimeType.toLowerCase());
  if (!chosen.length) throw new Error(`this browser cannot encode ${mimeType}`);
  return [...chosen, ...codecs.filter((codec) => codec.mimeType === 'video/rtx')];
}

// keep drops the candidates of every other transport.
function keep(sdp, transport) {
  const stays = (line) => !line.startsWith('a=candidate:') || line.split(' ')[2].toLowerCase() === transport;
  return sdp.split('\r\n').filter(stays).join('\r\n');
}
