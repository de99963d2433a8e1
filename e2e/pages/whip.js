import { Peer } from './peer.js';

// Whip is a WHIP encoder or a WHEP player. It talks to a worker on its own origin (lib/whip.js), in SDP alone.
export class Whip extends Peer {
  #resource;

  async publish(stream, items) {
    const { sdp } = await this.offerOf(items);
    const response = await exchange('POST', `/whip/${stream}`, sdp);
    this.#resource = response.headers.get('location');
    await this.accept({ type: 'answer', sdp: await response.text() });
    await this.connected();
  }

  // stop ends what is published: the worker is told, and the connection closed.
  async stop() {
    await exchange('DELETE', this.#resource);
    this.pc.close();
  }

  // play offers to receive these kinds, and returns the mids.
  async play(stream, kinds) {
    kinds.forEach((kind) => this.pc.addTransceiver(kind, { direction: 'recvonly' }));
    const { sdp } = await this.offer();
    const response = await exchange('POST', `/whep/${stream}`, sdp);
    await this.accept({ type: 'answer', sdp: await response.text() });
    return this.#showAll();
  }

  // playOffered lets the other side offer, and sends the answer after it. It returns the mids.
  async playOffered(stream) {
    const response = await exchange('POST', `/whep/${stream}`);
    const { sdp } = await this.answer({ type: 'offer', sdp: await response.text() });
    await exchange('PATCH', response.headers.get('location'), sdp);
    return this.#showAll();
  }

  async #showAll() {
    await this.connected();
    const mids = this.pc.getTransceivers().map(({ mid }) => mid);
    mids.forEach((mid) => this.show(mid));
    return mids;
  }
}

async function exchange(method, path, sdp) {
  const headers = sdp ? { 'content-type': 'application/sdp' } : {};
  const response = await fetch(path, { method, headers, body: sdp });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status}`);
  return response;
}
