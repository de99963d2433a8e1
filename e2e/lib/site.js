import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { buffer } from 'node:stream/consumers';
import { once } from 'node:events';
import { build } from 'esbuild';
import { routePartyTracksRequest } from 'partytracks/server';
import { Whip } from './whip.js';

const pages = fileURLToPath(new URL('../pages/', import.meta.url));
const types = { html: 'text/html; charset=utf-8', js: 'text/javascript; charset=utf-8' };
const hopByHop = ['connection', 'host', 'keep-alive', 'transfer-encoding'];
const prefix = '/partytracks';

// Site serves the test pages on loopback, and is the backend of two of them: the server half of partytracks forwards that
// page's API calls to the emulator, and a small worker speaks WHIP and WHEP. The other pages call the emulator themselves
// (CORS).
export class Site {
  #server;
  #emulator;
  #whip;
  #bundle;

  static async start(emulator) {
    const site = new Site();
    site.#emulator = emulator;
    site.#whip = new Whip(emulator);
    site.#server = createServer((req, res) => {
      site.#serve(req, res).catch((error) => res.writeHead(500).end(String(error)));
    });
    site.#server.listen(0, '127.0.0.1');
    await once(site.#server, 'listening');
    return site;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  async stop() {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #serve(req, res) {
    const { pathname } = new URL(req.url, this.url);
    if (pathname.startsWith(`${prefix}/`)) return this.#partytracks(req, res);
    if (/^\/(whip|whep)\//.test(pathname)) return this.#sdp(req, res, pathname);
    if (pathname === '/partytracks.js') return send(res, 'js', await this.#partytracksBundle());
    const [, name, type] = pathname.match(/^\/([a-z]+)\.(html|js)$/) ?? [];
    if (!name) return res.writeHead(204).end();
    return send(res, type, await readFile(`${pages}${name}.${type}`));
  }

  // The router reads url, method, headers and body. It gets a whole body, not a stream, since Node's fetch
  // (unlike that of Workers, for which the package is written) refuses a stream without `duplex`.
  async #partytracks(req, res) {
    const headers = new Headers(req.headers);
    hopByHop.forEach((name) => headers.delete(name));
    const answer = await routePartyTracksRequest({
      appId: this.#emulator.appId,
      token: this.#emulator.secret,
      realtimeApiBaseUrl: this.#emulator.baseUrl,
      prefix,
      request: { url: `${this.url}${req.url}`, method: req.method, headers, body: await buffer(req) },
    });
    res.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' });
    res.end(await answer.text());
  }

  async #sdp(req, res, pathname) {
    const sdp = (await buffer(req)).toString();
    const { status, headers, body } = await this.#whip.handle(req.method, pathname, sdp);
    res.writeHead(status, headers).end(body);
  }

  #partytracksBundle() {
    this.#bundle ??= build({
      entryPoints: [`${pages}partytracks.js`],
      bundle: true,
      format: 'esm',
      write: false,
      logLevel: 'silent',
    });
    return this.#bundle.then((result) => result.outputFiles[0].contents);
  }
}

function send(res, type, content) {
  res.writeHead(200, { 'content-type': types[type], 'cache-control': 'no-store' });
  res.end(content);
}
