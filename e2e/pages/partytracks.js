import { BehaviorSubject, of } from 'rxjs';
import { PartyTracks, getCamera, getMic } from 'partytracks/client';
import { sourceOf } from './sources.js';
import { sentOf } from './stats.js';
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

  // pushSource pushes a track, with simulcast where encodings are given.
  async pushSource(name, source, encodings) {
    const source$ = new BehaviorSubject(await sourceOf(source));
    return this.#push(name, source$, source$, encodings && { sendEncodings$: of(encodings) });
  }

  #push(name, track$, control, options) {
    return new Promise((resolve, reject) => {
      const push = { control };
      push.subscription = this.#tracks.push(track$, options).subscribe({
        next: (metadata) => {
          push.metadata = metadata;
          resolve(metadata);
        },
        error: reject,
      });
      this.#pushes.set(name, push);
    });
  }

  // replace switches the source of a pushed track; the metadata stays the same.
  async replace(name, source) {
    this.#pushes.get(name).control.next(await sourceOf(source));
  }

  // metadata is what to hand to another page now: the package pushes anew on a new session.
  metadata(name) {
    return this.#pushes.get(name).metadata;
  }

  stopPush(name) {
    this.#pushes.get(name).subscription.unsubscribe();
    this.#pushes.delete(name);
  }

  // pull shows a track under a label, with a simulcast layer where one is given; it returns at once, views() tells when it
  // plays. The package hands the same track out again at every change of layer.
  pull(label, metadata, preferredRid) {
    const metadata$ = new BehaviorSubject(metadata);
    const preferredRid$ = new BehaviorSubject(preferredRid);
    const pull = { metadata$, preferredRid$, arrivals: 0 };
    const options = preferredRid && { simulcast: { preferredRid$ } };
    pull.subscription = this.#tracks.pull(metadata$, options).subscribe({
      next: (track) => {
        if (pull.view?.track === track) return;
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

  // prefer asks for another layer of a pull.
  prefer(label, rid) {
    this.#pulls.get(label).preferredRid$.next(rid);
  }

  // preferAndSee returns the ms from asking for a layer to the first picture of the new width.
  async preferAndSee(label, rid, width) {
    const asked = performance.now();
    const shown = this.showing(label, width);
    this.prefer(label, rid);
    return (await shown) - asked;
  }

  // showing waits until the picture of a pull that has arrived is this wide.
  showing(label, width) {
    return this.#pulls.get(label).view.showing(width);
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

  sent() {
    return sentOf(this.#pc);
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
    const sent = this.#pc && (await this.sent());
    return { connectionState, iceConnectionState, signalingState, sent, views: await this.views(), history };
  }
}

window.createClient = () => {
  window.client = new Party();
};
