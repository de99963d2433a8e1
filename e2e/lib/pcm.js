// PCM of the adapters: 48 kHz, stereo, signed 16 bits, little-endian (contract 5.2).

const rate = 48_000;

// syllables is `seconds` of a tone that pauses 100 ms after every 300 ms, as speech does, the same on both channels.
export function syllables(frequency, seconds) {
  const pcm = Buffer.alloc(rate * seconds * 4);
  for (let i = 0; i < rate * seconds; i++) {
    const loud = (i * 10) / rate % 4 < 3;
    const sample = loud ? Math.round(12_000 * Math.sin((2 * Math.PI * frequency * i) / rate)) : 0;
    pcm.writeInt16LE(sample, i * 4);
    pcm.writeInt16LE(sample, i * 4 + 2);
  }
  return pcm;
}

// share is how much of the energy of a second of PCM lies within 20 Hz of a frequency, from 0 to 1, for [left, right]. The
// bins of a second are 1 Hz apart (Goertzel's algorithm).
export function share(pcm, frequency) {
  return [0, 1].map((channel) => {
    const samples = Array.from({ length: rate }, (_, i) => pcm.readInt16LE(i * 4 + channel * 2));
    const all = samples.reduce((sum, s) => sum + s * s, 0);
    let near = 0;
    for (let f = frequency - 20; f <= frequency + 20; f++) near += power(samples, f);
    return all === 0 ? 0 : (2 * near) / rate / all;
  });
}

function power(samples, frequency) {
  const c = 2 * Math.cos((2 * Math.PI * frequency) / rate);
  let [a, b] = [0, 0];
  for (const s of samples) [a, b] = [s + c * a - b, a];
  return a * a + b * b - c * a * b;
}
