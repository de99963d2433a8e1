import { Calls } from './calls.js';

// Member is in a video room with two sessions, one that publishes and one that receives (contract 11, flow 10). What it
// closes is closed by force, and what is really there it reads from the API.
export class Member {
  #publishing;
  #receiving;

  constructor(config) {
    this.#publishing = new Calls(config);
    this.#receiving = new Calls(config);
  }

  // join publishes [{trackName, source}] and returns what other members pull.
  async join(items) {
    const sessionId = await this.#publishing.open();
    await this.#receiving.open();
    await this.#publishing.publish(items);
    return items.map(({ trackName }) => ({ sessionId, trackName }));
  }

  // watch pulls tracks of others and returns the mids.
  watch(tracks) {
    return this.#receiving.pull(tracks);
  }

  unpublish(mids) {
    return this.#publishing.forceClose(mids);
  }

  unwatch(mids) {
    return this.#receiving.forceClose(mids);
  }

  // entries lists both sessions' tracks as the SFU sees them.
  async entries() {
    return { published: await this.#publishing.entries(), received: await this.#receiving.entries() };
  }

  views() {
    return this.#receiving.views();
  }

  async state() {
    return { publishing: await this.#publishing.state(), receiving: await this.#receiving.state() };
  }
}
