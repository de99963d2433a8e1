import { BehaviorSubject } from 'rxjs';
import { PartyTracks, getCamera, getMic } from 'partytracks/client';
import { sourceOf } from './sources.js';
import { View } from './view.js';

// Party drives Cloudflare's own client as its README does. It has no ICE servers: the package's default would ask a
// public STUN server.
class Party {
  #tracks = new PartyTracks({ iceServers: [] });
  #pushes = new Map();
  #pulls = new Map();
  #pc;

  constructor() {
    this.#tracks.peerConnection$.subscribe((pc) => (this.#pc = pc));
  }

  // pushDevice broadcasts the camera or the microphone and returns the metadata to hand to another page.
  pushDevice(name) {
    const device = name === 'camera' ? getCamera() : getMic();
    device.startBroadcasting();
    return this.#push(name, device.broadcastTrack$, device);
  }

  async pushSource(name, source) {
    const source$ = new BehaviorSubject(await sourceOf(source));
    return this.#push(name, source$, source$);
  }

  #push(name, track$, control) {
    return new Promise((resolve, reject) => {
      const push = { control };
      push.subscription = this.#tracks.push(track$).subscribe({
        next: (metadata) => resolve(metadata),
        error: reject,
      });
      this.#pushes.set(name, push);
    });
  }

  // replace switches the source of a pushed track; the metadata stays the same.
  async replace(name, source) {
    this.#pushes.get(name).control.next(await sourceOf(source));
  }

  stopPush(name) {
    this.#pushes.get(name).subscription.unsubscribe();
    this.#pushes.delete(name);
  }

  // pull shows a track under a label; it returns at once, views() tells when it plays.
  pull(label, metadata) {
    const metadata$ = new BehaviorSubject(metadata);
    const pull = { metadata$, arrivals: 0 };
    pull.subscription = this.#tracks.pull(metadata$).subscribe({
      next: (track) => {
        pull.view?.remove();
        pull.view = new View(track, label);
        pull.arrivals++;
      },
      error: (error) => (pull.error = String(error)),
    });
    this.#pulls.set(label, pull);
  }

  // repull points a pull at another published track.
  repull(label, metadata) {
    this.#pulls.get(label).metadata$.next(metadata);
  }

  stopPull(label) {
    const pull = this.#pulls.get(label);
    pull.subscription.unsubscribe();
    pull.view?.remove();
    this.#pulls.delete(label);
  }

  async views() {
    const shown = [...this.#pulls].filter(([, { view }]) => view);
    const entries = shown.map(async ([label, { view, arrivals }]) => {
      const receiver = this.#pc.getReceivers().find(({ track }) => track === view.track);
      return [label, { ...(receiver ? await view.read(receiver) : {}), arrivals }];
    });
    return Object.fromEntries(await Promise.all(entries));
  }

  // answers lists the API's answers to one endpoint ("tracks/close") so far.
  answers(endpoint) {
    const path = (entry) => entry.endpoint.split('?')[0];
    const responses = this.#tracks.history.entries.filter(({ type }) => type === 'response');
    return responses.filter((entry) => path(entry).endsWith(endpoint)).map(({ body }) => body);
  }

  async state() {
    const { connectionState, iceConnectionState, signalingState } = this.#pc ?? {};
    const history = this.#tracks.history.entries;
    return { connectionState, iceConnectionState, signalingState, views: await this.views(), history };
  }
}

window.createClient = () => {
  window.client = new Party();
};
