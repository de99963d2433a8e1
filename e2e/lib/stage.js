import { Emulator } from './emulator.js';
import { Site } from './site.js';
import { Tab } from './tab.js';
import { Trust } from './trust.js';

// Stage is what a scenario plays on: one emulator, one site, and the pages that it opened.
export class Stage {
  #tabs = [];
  #trust; // made when a page wants it

  static async start(...flags) {
    const stage = new Stage();
    stage.emulator = await Emulator.start(...flags);
    stage.site = await Site.start(stage.emulator);
    return stage;
  }

  async stop() {
    this.#trust?.remove();
    await this.site.stop();
    return this.emulator.stop();
  }

  // page opens a page that calls the API itself and has a session: calls.html, or another one of its kind.
  async page({ of = 'calls', ...options } = {}) {
    const tab = await this.client(of, options);
    tab.sessionId = await tab.call('open');
    return tab;
  }

  // client opens one of pages/ and nothing more: 'echo' for pages/echo.html. With `trusting` the browser trusts the emulator's CA
  // and finds it under the names of the service; without `camera` it lets no page use one (both Chromium alone).
  async client(page, { browser, name = browser ?? page, trusting, camera, ...settings } = {}) {
    const { baseUrl, appId, secret } = this.emulator;
    const config = { baseUrl, appId, secret, ...settings };
    const trust = trusting ? (this.#trust ??= new Trust(this.emulator)) : undefined;
    const tab = await Tab.open(`${this.site.url}/${page}.html`, { browser, name, config, trust, camera });
    this.#tabs.push(tab);
    return tab;
  }

  // party opens a page of Cloudflare's partytracks client.
  party(options) {
    return this.client('partytracks', options);
  }

  // play runs one scenario, closes its pages, and adds the pages' state to a failure.
  async play(name, act) {
    try {
      await act(this);
      await Promise.all(this.#tabs.map((tab) => tab.shoot(name).catch(() => {})));
    } catch (error) {
      await Promise.all(this.#tabs.map((tab) => tab.shoot(`FAILED ${name}`).catch(() => {})));
      error.stack += await this.#report(); // the stack is what the reporter prints
      throw error;
    } finally {
      await Promise.all(this.#tabs.splice(0).map((tab) => tab.close().catch(() => {})));
    }
  }

  async #report() {
    const states = await Promise.all(this.#tabs.map((tab) => tab.state()));
    const pages = states.map(({ history = [], ...rest }) => JSON.stringify({ ...rest, calls: history.map(inShort) }));
    const log = this.emulator.log.split('\n').slice(-25);
    return `\n${[...pages, ...log].join('\n')}`;
  }
}

// inShort leaves the bodies out; the folder E2E_SHOTS gets them with their SDP.
function inShort({ method = '', path, endpoint, status = '' }) {
  return `${method} ${path ?? endpoint} ${status}`;
}
