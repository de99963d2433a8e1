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

  async relays(transport) {
    const [{ username, credential }] = await super.relays(transport);
    return [{ urls: turn[transport], username, credential }];
  }
}
