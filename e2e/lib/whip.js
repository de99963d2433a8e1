import { Api } from './api.js';

// Whip turns WHIP and WHEP requests into API calls, as a small worker would (contract 11, flow 8): it checks no status, and
// says nothing to the API when a stream ends.
export class Whip {
  #api;
  #streams = new Map(); // stream name: the tracks that were published under it

  constructor(emulator) {
    this.#api = new Api(emulator);
  }

  // handle answers one request for /whip/STREAM, /whep/STREAM or what the answer named as its location:
  // {status, headers, body}.
  handle(method, path, sdp) {
    const [, role, stream, sessionId] = path.split('/');
    if (method === 'DELETE') return { status: 200 };
    if (method === 'PATCH') return this.#conclude(sessionId, sdp);
    return role === 'whip' ? this.#ingest(stream, sdp) : this.#play(stream, sdp);
  }

  async #ingest(stream, sdp) {
    const sessionId = await this.#api.open();
    const sessionDescription = { type: 'offer', sdp };
    const answer = await this.#api.tracks(sessionId, { sessionDescription, autoDiscover: true });
    const tracks = answer.tracks.map(({ trackName }) => ({ location: 'remote', sessionId, trackName }));
    this.#streams.set(stream, tracks);
    return created(answer.sessionDescription, `/whip/${stream}/${sessionId}`);
  }

  // play passes the player's offer on if there is one; else the player gets the SFU's.
  async #play(stream, sdp) {
    const sessionId = await this.#api.open();
    const offered = sdp && { sessionDescription: { type: 'offer', sdp } };
    const answer = await this.#api.tracks(sessionId, { tracks: this.#streams.get(stream), ...offered });
    return created(answer.sessionDescription, `/whep/${stream}/${sessionId}`);
  }

  async #conclude(sessionId, sdp) {
    return { status: await this.#api.renegotiate(sessionId, 'answer', sdp) };
  }
}

function created({ sdp }, location) {
  return { status: 201, headers: { 'content-type': 'application/sdp', location }, body: sdp };
}
