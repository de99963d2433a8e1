import { inboundOf } from './stats.js';

const fewFrames = 5; // that a size is there to stay
const visibleStop = 200; // ms

// View shows one received track and measures what a person would see or hear.
export class View {
  shown = 0; // frames that the video element presented
  changes = 0; // how often the picture became visibly different from what it was at the last change
  mean = [0, 0, 0]; // red, green, blue of the newest sample, 0 to 255
  firstBrightAt = null; // performance.now() of the first presented picture that is not black
  size = null;
  widths = []; // every width that the picture had, in order
  stops = []; // of the picture, see #pace
  peak = 0; // loudest absolute sample since the last read
  pitch = 0; // Hz, the strongest frequency of the last 0.7 s
  error = null;
  #element;
  #canvas;
  #last;
  #analyser;
  #wave;
  #lastFrame;
  #framesOfWidth = 0; // presented since the last change of width
  #widthSince = 0;
  #waiting = []; // {width, resolve} of showing()

  constructor(track, label) {
    this.track = track;
    this.label = label;
    this.#element = document.createElement(track.kind);
    this.#element.autoplay = true;
    this.#element.playsInline = true;
    this.#element.srcObject = new MediaStream([track]);
    this.#element.title = label;
    document.body.append(this.#element);
    this.#element.play().catch((error) => (this.error = String(error)));
    if (track.kind === 'video') this.#watch();
    else this.#listen();
  }

  #watch() {
    this.#canvas = new OffscreenCanvas(32, 18).getContext('2d', { willReadFrequently: true });
    const frame = (now, { rtpTimestamp, receiveTime }) => {
      this.shown++;
      this.#measure();
      this.#pace(now, rtpTimestamp, receiveTime);
      this.#sample();
      this.#element.requestVideoFrameCallback(frame);
    };
    this.#element.requestVideoFrameCallback(frame);
  }

  // measure reads the element, whose size is that of the frame presented last.
  #measure() {
    this.size = [this.#element.videoWidth, this.#element.videoHeight];
    if (this.widths.at(-1) !== this.size[0]) {
      this.widths.push(this.size[0]);
      this.#framesOfWidth = 0;
      this.#widthSince = performance.now();
    }
    this.#framesOfWidth++;
    this.#waiting = this.#waiting.filter((wait) => !this.#arrived(wait));
  }

  // pace notes every stop of the picture that a person can see, in ms, with what explains it: how far apart the two frames
  // were made and received, and the widths before and after.
  #pace(now, rtpTimestamp, received) {
    const last = this.#lastFrame;
    const frame = (this.#lastFrame = { shown: now, made: rtpTimestamp / 90, received, width: this.size[0] });
    if (!last || frame.shown - last.shown < visibleStop) return;
    const apart = (field) => Math.round(frame[field] - last[field]);
    const [shown, made, arrived] = ['shown', 'made', 'received'].map(apart);
    this.stops.push({ shown, made, received: arrived, widths: [last.width, frame.width] });
  }

  #arrived({ width, resolve }) {
    if (this.size[0] !== width || this.#framesOfWidth < fewFrames) return false;
    resolve(this.#widthSince);
    return true;
  }

  // showing waits until a few frames of this width were presented one after the other, and returns the time of the first.
  showing(width, within = 10_000) {
    return new Promise((resolve, reject) => {
      const late = () => reject(new Error(`${this.label}: not ${width} wide within ${within} ms, but ${this.size}`));
      const timer = setTimeout(late, within);
      this.#waiting.push({
        width,
        resolve: (since) => {
          clearTimeout(timer);
          resolve(since);
        },
      });
    });
  }

  #sample() {
    this.#canvas.drawImage(this.#element, 0, 0, 32, 18);
    const pixels = this.#canvas.getImageData(0, 0, 32, 18).data;
    this.mean = [0, 1, 2].map((channel) => average(pixels, channel));
    if (this.firstBrightAt === null && Math.max(...this.mean) > 16) this.firstBrightAt = performance.now();
    if (this.#last && !differ(this.#last, pixels)) return;
    if (this.#last) this.changes++;
    this.#last = pixels;
  }

  #listen() {
    const context = new AudioContext();
    this.#analyser = context.createAnalyser();
    // The longest window there is, about 0.7 s, so that no beep falls between two reads.
    this.#analyser.fftSize = 32768;
    this.#wave = new Float32Array(this.#analyser.fftSize);
    context.createMediaStreamSource(this.#element.srcObject).connect(this.#analyser);
  }

  async read(receiver) {
    const inbound = await inboundOf(receiver);
    if (this.#analyser) {
      this.#analyser.getFloatTimeDomainData(this.#wave);
      this.peak = this.#wave.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
      this.pitch = this.#strongest();
    }
    return {
      label: this.label,
      kind: this.track.kind,
      shown: this.shown,
      changes: this.changes,
      mean: this.mean.map(Math.round),
      firstBrightAt: this.firstBrightAt,
      size: this.size,
      widths: this.widths,
      stops: this.stops,
      peak: this.peak,
      pitch: this.pitch,
      error: this.error,
      packets: inbound.packetsReceived ?? 0,
      lost: inbound.packetsLost ?? 0,
      framesDecoded: inbound.framesDecoded ?? 0,
      keyFramesDecoded: inbound.keyFramesDecoded ?? 0,
      framesDropped: inbound.framesDropped ?? 0,
      freezeCount: inbound.freezeCount ?? 0,
      pliCount: inbound.pliCount ?? 0, // a decoder that cannot go on asks for a key frame
      audioEnergy: inbound.totalAudioEnergy ?? 0,
      codec: inbound.codec ?? '',
      fmtp: inbound.fmtp ?? '',
    };
  }

  #strongest() {
    const levels = new Float32Array(this.#analyser.frequencyBinCount);
    this.#analyser.getFloatFrequencyData(levels);
    const bin = levels.reduce((best, level, i) => (level > levels[best] ? i : best), 0);
    return (bin * this.#analyser.context.sampleRate) / this.#analyser.fftSize;
  }

  remove() {
    this.#element.remove();
  }
}

// pictureOf decodes a JPEG and measures it as a View does what it shows.
export async function pictureOf(base64) {
  const bitmap = await createImageBitmap(new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], { type: 'image/jpeg' }));
  const canvas = new OffscreenCanvas(32, 18).getContext('2d', { willReadFrequently: true });
  canvas.drawImage(bitmap, 0, 0, 32, 18);
  const pixels = canvas.getImageData(0, 0, 32, 18).data;
  return { size: [bitmap.width, bitmap.height], mean: [0, 1, 2].map((channel) => Math.round(average(pixels, channel))) };
}

function average(pixels, channel) {
  let sum = 0;
  for (let i = channel; i < pixels.length; i += 4) sum += pixels[i];
  return (sum * 4) / pixels.length;
}

// differ reports a change that is more than the noise of a codec on a still picture.
function differ(before, now) {
  for (let i = 0; i < now.length; i++) {
    if (i % 4 !== 3 && Math.abs(before[i] - now[i]) > 12) return true;
  }
  return false;
}
