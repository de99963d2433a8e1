import { camera, microphone } from './sources.js';
import { sentOf } from './stats.js';
import { View } from './view.js';

// Echo does what Cloudflare's oldest demos do (contract 11, flow 7): one page, two sessions, the second pulls what the first
// publishes. Bodies are text/plain, descriptions go out as createOffer and createAnswer made them, nothing is waited for
// but iceConnectionState, and an update names the publisher's mid, since both sides number alike.
export class Echo {
  #config;
  #local = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
  #remote = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
  #remoteSession;
  #published = []; // {location, mid, trackName, sessionId} of what the local session publishes
  #views = {};
  #errors = []; // what the API answered with an errorCode

  constructor(config) {
    this.#config = config;
  }

  async #call(method, path, body) {
    const { baseUrl, appId, secret } = this.#config;
    const headers = { Authorization: `Bearer ${secret}` };
    const response = await fetch(`${baseUrl}/apps/${appId}/sessions${path}`, { method, headers, body: JSON.stringify(body) });
    const answer = await response.json();
    const failed = [answer, ...(answer.tracks ?? [])].filter(({ errorCode }) => errorCode);
    this.#errors.push(...failed.map(({ errorCode, errorDescription }) => `${path}: ${errorCode}: ${errorDescription}`));
    return answer;
  }

  // run publishes the microphone and the camera, with these encodings, and pulls both.
  async run(sendEncodings = [{}]) {
    const sources = [await microphone(), await camera(960, 540, 15)];
    const options = { audio: { direction: 'sendonly' }, video: { direction: 'sendonly', sendEncodings } };
    const transceivers = sources.map((track) => this.#local.addTransceiver(track, options[track.kind]));
    await this.#push(transceivers);
    await this.#pull();
  }

  async #push(transceivers) {
    const { sessionId } = await this.#call('POST', '/new');
    const offer = await this.#local.createOffer();
    await this.#local.setLocalDescription(offer);
    this.#published = transceivers.map(({ mid, sender }) => {
      return { location: 'remote', mid, trackName: sender.track.id, sessionId };
    });
    const tracks = transceivers.map(({ mid, sender }) => ({ location: 'local', mid, trackName: sender.track.id }));
    const answer = await this.#call('POST', `/${sessionId}/tracks/new`, {
      sessionDescription: { type: 'offer', sdp: offer.sdp },
      tracks,
    });
    const connected = within5s((done) => {
      this.#local.addEventListener('iceconnectionstatechange', () => {
        if (this.#local.iceConnectionState === 'connected') done();
      });
    });
    await this.#local.setRemoteDescription(answer.sessionDescription);
    await connected;
  }

  async #pull() {
    this.#remoteSession = (await this.#call('POST', '/new')).sessionId;
    const tracks = this.#published.map(({ location, trackName, sessionId }) => ({ location, trackName, sessionId }));
    const pulled = await this.#call('POST', `/${this.#remoteSession}/tracks/new`, { tracks });
    const arrivals = pulled.tracks.map(({ mid }) => {
      return within5s((done) => {
        this.#remote.addEventListener('track', ({ transceiver }) => transceiver.mid === mid && done(transceiver));
      });
    });
    if (pulled.requiresImmediateRenegotiation) {
      await this.#remote.setRemoteDescription(pulled.sessionDescription);
      const answer = await this.#remote.createAnswer();
      await this.#remote.setLocalDescription(answer);
      const sessionDescription = { type: 'answer', sdp: answer.sdp };
      await this.#call('PUT', `/${this.#remoteSession}/renegotiate`, { sessionDescription });
    }
    for (const { mid, receiver } of await Promise.all(arrivals)) {
      this.#views[mid] = { view: new View(receiver.track, mid), receiver };
    }
  }

  // change asks for a layer of the picture and waits until it is shown.
  async change(preferredRid, width) {
    const picture = this.#published.find(({ mid }) => mid === '1');
    const shown = this.#views[picture.mid].view.showing(width);
    const simulcast = { preferredRid, priorityOrdering: 'asciibetical', ridNotAvailable: 'asciibetical' };
    await this.#call('PUT', `/${this.#remoteSession}/tracks/update`, { tracks: [{ ...picture, simulcast }] });
    await shown;
  }

  async views() {
    const entries = Object.entries(this.#views).map(async ([mid, { view, receiver }]) => [mid, await view.read(receiver)]);
    return Object.fromEntries(await Promise.all(entries));
  }

  sent() {
    return sentOf(this.#local);
  }

  errors() {
    return this.#errors;
  }

  async state() {
    const ice = [this.#local.iceConnectionState, this.#remote.iceConnectionState];
    return { ice, errors: this.#errors, sent: await this.sent(), views: await this.views() };
  }
}

function within5s(begin) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('not within 5 s')), 5000);
    begin((value) => {
      clearTimeout(timer);
      resolve(value);
    });
  });
}
