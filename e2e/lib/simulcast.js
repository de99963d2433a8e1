import assert from 'node:assert/strict';
import { poll } from './poll.js';

// encodings are three layers of a track of 960x540, the best first in the order of their names. Chromium makes no more than
// two layers of a smaller picture.
export const encodings = [
  { rid: 'f', maxBitrate: 1_000_000 },
  { rid: 'h', scaleResolutionDownBy: 2, maxBitrate: 200_000 },
  { rid: 'q', scaleResolutionDownBy: 4, maxBitrate: 80_000 },
];
export const widths = { f: 960, h: 480, q: 240 };

// order has each of the six changes between two layers, and begins from any but f.
const order = ['f', 'h', 'q', 'h', 'f', 'q'];

// longStop is longer than a busy machine lets a camera or an encoder pause, in ms.
const longStop = 1_500;

// sending waits until a publisher's congestion control has allotted every layer what it may have. Before that Chromium sends
// the large ones as a slide show, or not at all.
export function sending(publisher) {
  const whole = (sent, { rid, maxBitrate }) => {
    const layer = sent.find((entry) => entry.rid === rid) ?? {};
    return layer.frameWidth === widths[rid] && layer.targetBitrate > 0.9 * maxBitrate;
  };
  let sent;
  return poll(
    `${publisher.name} sends three whole layers`,
    async () => {
      sent = await publisher.call('sent');
      return encodings.every((encoding) => whole(sent, encoding));
    },
    { within: 40_000, describe: () => JSON.stringify(sent) },
  );
}

// switchAround makes twenty switches of what a viewer shows under a key, `change` each, and checks that every one showed its
// size, once, and that nothing broke.
export async function switchAround(t, viewer, key, change) {
  const before = (await viewer.call('views'))[key];
  const times = [];
  for (let i = 0; i < 20; i++) {
    const rid = order[i % order.length];
    times.push(await change(rid, widths[rid]));
  }
  const now = (await viewer.call('views'))[key];
  t.diagnostic(`${now.codec}: from tracks/update to the first picture of the new size: ${summary(times)}`);
  t.diagnostic(`${now.codec}: ${stopsOf(before, now)}`);
  assert.deepEqual(now.widths.slice(before.widths.length), times.map((_, i) => widths[order[i % order.length]]));
  playedOn(before, now);
}

// summary says the median and the longest of some times in ms.
function summary(times) {
  const sorted = times.toSorted((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)];
  return `median ${Math.round(median)} ms, maximum ${Math.round(sorted.at(-1))} ms of ${times.length}`;
}

// stopsOf says what of the picture's stops is the switch's doing. Within one layer the SFU forwards whatever comes, so a stop
// there is one of the publisher's; the browser counts both.
function stopsOf(before, now) {
  const added = now.stops.slice(before.stops.length);
  const [within, across] = [true, false].map((same) => added.filter(({ widths: [a, b] }) => (a === b) === same));
  const list = (stops) => `${stops.length} [${stops.map(({ shown }) => shown)}]`;
  const stops = `stops of 200 ms and more: ${list(across)} at a switch, ${list(within)} within a layer`;
  return `${stops}; the browser counts ${now.freezeCount - before.freezeCount} freezes`;
}

// playedOn checks that between two reads of a view the picture went on: frames were decoded, no decoder asked for a key frame,
// no packet was lost on the way, and the picture never stood.
export function playedOn(before, now) {
  assert.ok(now.framesDecoded > before.framesDecoded, 'frames are decoded');
  const trouble = ({ pliCount, lost }) => ({ pliCount, lost });
  assert.deepEqual(trouble(now), trouble(before), 'no key frame asked for, no packet lost');
  const long = now.stops.slice(before.stops.length).filter(({ shown }) => shown > longStop);
  assert.deepEqual(long, [], 'the picture never stood');
}
