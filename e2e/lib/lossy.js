import { createSocket } from 'node:dgram';
import { once } from 'node:events';

// Lossy stands between browsers and one UDP address of the emulator, and loses packets of both directions once it is told
// to. Which ones is drawn from a seeded generator, so that a run can be repeated.
export class Lossy {
  #far;
  #near;
  #ways = new Map(); // "address:port" of a browser -> socket towards the emulator
  #state;
  lost = 0;
  loss = 0; // 0 to 1

  static async start(far, seed = 1) {
    const lossy = new Lossy();
    lossy.#far = far;
    lossy.#state = seed;
    lossy.#near = createSocket('udp4', (packet, from) => lossy.#out(packet, from));
    lossy.#near.bind(0, '127.0.0.1');
    await once(lossy.#near, 'listening');
    return lossy;
  }

  get address() {
    return `127.0.0.1:${this.#near.address().port}`;
  }

  #drops() {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    const drop = this.#state / 2 ** 32 < this.loss;
    if (drop) this.lost++;
    return drop;
  }

  #out(packet, { address, port }) {
    if (this.#drops()) return;
    const key = `${address}:${port}`;
    let way = this.#ways.get(key);
    if (!way) {
      way = createSocket('udp4', (back) => {
        if (!this.#drops()) this.#near.send(back, port, address);
      });
      this.#ways.set(key, way);
    }
    way.send(packet, this.#far.port, this.#far.address);
  }

  async stop() {
    for (const socket of [this.#near, ...this.#ways.values()]) {
      socket.close();
      await once(socket, 'close');
    }
  }
}
