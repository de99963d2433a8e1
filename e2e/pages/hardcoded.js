import { Calls } from './calls.js';

// What pages have written into them.
const baseUrl = 'https://rtc.live.cloudflare.com/v1';
const stun = 'stun:stun.cloudflare.com:3478';
const turn = {
  udp: 'turn:turn.cloudflare.com:3478?transport=udp',
  tcp: 'turn:turn.cloudflare.com:3478?transport=tcp',
  tls: 'turns:turn.cloudflare.com:5349?transport=tcp',
};

// Hardcoded is a page that was made for the real service: it is told no address, and takes none from an answer.
export class Hardcoded extends Calls {
  constructor(config) {
    super({ ...config, baseUrl });
    this.pc.setConfiguration({ bundlePolicy: 'max-bundle', iceServers: [{ urls: stun }] });
  }

  // reflexive lists the STUN servers that tell this page its address. It asks on a connection that leads nowhere, since Chromium
  // ends its search for candidates as soon as one of them connects.
  async reflexive() {
    const asking = new RTCPeerConnection(this.pc.getConfiguration());
    asking.createDataChannel('');
    const over = new Promise((resolve) => {
      asking.addEventListener('icegatheringstatechange', () => asking.iceGatheringState === 'complete' && resolve());
    });
    await asking.setLocalDescription();
    await over;
    const found = [...(await asking.getStats()).values()].filter(({ candidateType }) => candidateType === 'srflx');
    asking.close();
    return [...new Set(found.map(({ url }) => url))];
  }

  async relays(transport) {
    const [{ username, credential }] = await super.relays(transport);
    return [{ urls: turn[transport], username, credential }];
  }
}
