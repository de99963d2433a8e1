// Api calls the emulator as an application's backend does, with no Content-Type on any request (contract 11, flow 8).
export class Api {
  #root;
  #secret;

  constructor({ baseUrl, appId, secret }) {
    this.#root = `${baseUrl}/apps/${appId}/sessions`;
    this.#secret = secret;
  }

  // call returns {status, answer}. The body goes out as bytes, since fetch gives a type of its own to text.
  async call(method, path, body) {
    const headers = { Authorization: `Bearer ${this.#secret}` };
    const response = await fetch(this.#root + path, { method, headers, body: body && Buffer.from(JSON.stringify(body)) });
    return { status: response.status, answer: await response.json() };
  }

  // adapter makes WebSocket adapters (contract 5.1), which belong to the app and not to a session.
  async adapter(body) {
    const { href } = new URL('../adapters/websocket/new', `${this.#root}/`);
    const headers = { Authorization: `Bearer ${this.#secret}` };
    const response = await fetch(href, { method: 'POST', headers, body: Buffer.from(JSON.stringify(body)) });
    return { status: response.status, answer: await response.json() };
  }

  async open(query = '') {
    return (await this.call('POST', `/new${query}`)).answer.sessionId;
  }

  async tracks(sessionId, body) {
    return (await this.call('POST', `/${sessionId}/tracks/new`, body)).answer;
  }

  async renegotiate(sessionId, type, sdp) {
    return (await this.call('PUT', `/${sessionId}/renegotiate`, { sessionDescription: { type, sdp } })).status;
  }
}
