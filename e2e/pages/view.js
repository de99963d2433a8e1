// View shows one received track and measures what a person would see or hear.
export class View {
  shown = 0; // frames that the video element presented
  changes = 0; // how often the picture became visibly different from what it was at the last change
  mean = [0, 0, 0]; // red, green, blue of the newest sample, 0 to 255
  firstBrightAt = null; // performance.now() of the first presented picture that is not black
  size = null;
  peak = 0; // loudest absolute sample since the last read
  error = null;
  #element;
  #canvas;
  #last;
  #analyser;
  #wave;

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
    const frame = () => {
      this.shown++;
      this.size = [this.#element.videoWidth, this.#element.videoHeight];
      this.#sample();
      this.#element.requestVideoFrameCallback(frame);
    };
    this.#element.requestVideoFrameCallback(frame);
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
    }
    return {
      label: this.label,
      kind: this.track.kind,
      shown: this.shown,
      changes: this.changes,
      mean: this.mean.map(Math.round),
      firstBrightAt: this.firstBrightAt,
      size: this.size,
      peak: this.peak,
      error: this.error,
      packets: inbound.packetsReceived ?? 0,
      lost: inbound.packetsLost ?? 0,
      framesDecoded: inbound.framesDecoded ?? 0,
      keyFramesDecoded: inbound.keyFramesDecoded ?? 0,
      audioEnergy: inbound.totalAudioEnergy ?? 0,
      codec: inbound.codec ?? '',
      fmtp: inbound.fmtp ?? '',
    };
  }

  remove() {
    this.#element.remove();
  }
}

async function inboundOf(receiver) {
  const report = await receiver.getStats();
  for (const entry of report.values()) {
    if (entry.type !== 'inbound-rtp') continue;
    const { mimeType, sdpFmtpLine } = report.get(entry.codecId) ?? {};
    return { ...entry, codec: mimeType, fmtp: sdpFmtpLine };
  }
  return {};
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
