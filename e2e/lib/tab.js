import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { launch } from './browsers.js';
import { poll, steady } from './poll.js';

// Tab is one page in a browser process of its own, so that every page is in the foreground and can be killed.
// `window.client` in the page (a Calls or a Party) does the work; Tab calls its methods and judges what it shows.
export class Tab {
  #browser;
  #page;
  #hears; // whether the browser's audio graph runs: Firefox starts it only where a sound card is
  #console = [];

  static async open(url, { browser = 'chromium', name = browser, config = {}, ...options } = {}) {
    const tab = new Tab();
    tab.name = name;
    tab.#hears = browser !== 'firefox';
    tab.#browser = await launch(browser, options);
    try {
      await tab.#load(url, config);
    } catch (error) {
      error.stack += `\n${tab.name}: ${tab.#console.join('\n')}`; // a page that does not start says why there
      await tab.close();
      throw error;
    }
    return tab;
  }

  async #load(url, config) {
    this.#page = (await this.#browser.pages())[0] ?? (await this.#browser.newPage());
    this.#page.on('console', (message) => this.#console.push(`${message.type()}: ${message.text()}`));
    this.#page.on('pageerror', (error) => this.#console.push(`page error: ${error}`));
    await this.#page.goto(url);
    await this.#page.waitForFunction(() => typeof window.createClient === 'function', { timeout: 10_000, polling: 50 });
    await this.#page.evaluate((value) => window.createClient(value), config);
  }

  call(method, ...args) {
    return this.#page.evaluate((name, values) => window.client[name](...values), method, args);
  }

  // playing waits until each of these tracks (mid or label) moves on the screen or can be heard, all from now on.
  // `looking` names the colour that some of them must have by then (pages/sources.js, painted).
  async playing(keys, { within = 20_000, looking = {} } = {}) {
    const before = await this.call('views');
    const peaks = {};
    let now = before;
    const good = (key) => {
      if (!now[key]?.kind || !looks(now[key], looking[key])) return false;
      peaks[key] = Math.max(peaks[key] ?? 0, now[key].peak);
      if (now[key].kind === 'video') return moves(before[key], now[key]);
      return sounds(before[key], now[key]) && (!this.#hears || peaks[key] > 0.01);
    };
    await poll(
      `${this.name} plays ${keys}`,
      async () => {
        now = await this.call('views');
        // map, not every: each one's peak is to be noted.
        return keys.map(good).every(Boolean);
      },
      { within, every: 150, describe: () => JSON.stringify({ before, now, peaks }) },
    );
    return now;
  }

  // silent waits until a track that was playing gets no more packets.
  silent(key) {
    return steady(`${this.name}: packets of ${key}`, async () => (await this.call('views'))[key].packets);
  }

  // state gathers all that helps to understand a failure.
  async state() {
    const inPage = await this.call('state').catch((error) => ({ page: String(error) }));
    return { name: this.name, console: this.#console, ...inPage };
  }

  // shoot writes a picture of the page and its state into the folder E2E_SHOTS, when that is set.
  async shoot(label) {
    const folder = process.env.E2E_SHOTS;
    if (!folder) return;
    mkdirSync(folder, { recursive: true });
    const file = join(folder, `${label}-${this.name}`.replace(/[^\w.-]+/g, '_'));
    writeFileSync(`${file}.json`, JSON.stringify(await this.state(), null, 1));
    await this.#page.screenshot({ path: `${file}.png` });
  }

  // kill ends the browser as a crash would: nothing is said to the SFU.
  async kill() {
    const child = this.#browser.process();
    child.kill('SIGKILL');
    await poll(`${this.name} is dead`, () => child.signalCode ?? child.exitCode);
  }

  async close() {
    await this.#browser.close();
  }
}

// moves: pictures were decoded and presented since `before`, are not black and do not stand still.
function moves(before, now) {
  const bright = Math.max(...now.mean) > 16;
  const grown = (field) => grownBy(before, now, field);
  return grown('framesDecoded') >= 10 && grown('shown') >= 10 && grown('changes') >= 3 && bright;
}

// sounds: audio was decoded since `before`, and it is not silence.
function sounds(before, now) {
  return grownBy(before, now, 'audioEnergy') > 1e-5;
}

// grownBy counts from zero when the track is another one than before (partytracks pulled anew).
function grownBy(before, now, field) {
  const start = before?.[field] ?? 0;
  return now[field] >= start ? now[field] - start : now[field];
}

const channels = { red: 0, lime: 1, blue: 2 };

// looks tells whether a painted colour dominates the picture.
function looks({ mean }, colour) {
  if (!colour) return true;
  return mean.every((value, channel) => (channel === channels[colour] ? value > 160 : value < 100));
}
