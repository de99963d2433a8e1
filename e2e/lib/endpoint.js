import { once } from 'node:events';
import { WebSocketServer } from 'ws';

// Endpoint is the application's end of WebSocket adapters (contract 5): a server on loopback that keeps the payloads that
// come and can send some. Messages are protobuf, Packet {1: sequenceNumber, 2: timestamp, 5: payload} (contract 5.2).
export class Endpoint {
  payloads = []; // of every message so far
  #server;

  static async start() {
    const endpoint = new Endpoint();
    endpoint.#server = new WebSocketServer({ host: '127.0.0.1', port: 0, maxPayload: 1 << 20 });
    endpoint.#server.on('connection', (socket) => socket.on('message', (data) => endpoint.payloads.push(payloadOf(data))));
    await once(endpoint.#server, 'listening');
    return endpoint;
  }

  get url() {
    return `ws://127.0.0.1:${this.#server.address().port}/media`;
  }

  // say sends bytes to every adapter that is connected, all at once, in messages within the 32 KB limit (contract 5.3).
  say(bytes) {
    for (const socket of this.#server.clients) {
      for (let i = 0; i < bytes.length; i += 16_000) socket.send(packet(bytes.subarray(i, i + 16_000)));
    }
  }

  stop() {
    for (const socket of this.#server.clients) socket.terminate();
    return new Promise((resolve) => this.#server.close(resolve));
  }
}

function packet(payload) {
  return Buffer.concat([Buffer.from([(5 << 3) | 2, ...varint(payload.length)]), payload]);
}

function varint(value) {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)];
}

// payloadOf reads field 5 and passes over the numbers before it.
function payloadOf(data) {
  let at = 0;
  const number = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = data[at++];
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  };
  while (at < data.length) {
    const key = number();
    const value = number(); // for what has a length, the length
    if (key === ((5 << 3) | 2)) return data.subarray(at, at + value);
    if ((key & 7) === 2) at += value;
  }
  throw new Error(`a message of ${data.length} bytes without payload`);
}
