// camera gives a track of the browser's (fake) camera.
export async function camera(width, height, frameRate) {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { width, height, frameRate } });
  return stream.getVideoTracks()[0];
}

export async function microphone() {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  return stream.getAudioTracks()[0];
}

// painted gives a video track of one colour with a light bar that wanders through it, so that a receiver can tell
// which track it shows and that the picture moves.
export function painted(colour) {
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [320, 180];
  document.body.append(canvas);
  const context = canvas.getContext('2d');
  let x = 0;
  const paint = () => {
    context.fillStyle = colour;
    context.fillRect(0, 0, 320, 180);
    context.fillStyle = 'white';
    context.fillRect(x, 0, 40, 180);
    x = (x + 8) % 320;
    requestAnimationFrame(paint);
  };
  paint();
  return canvas.captureStream(20).getVideoTracks()[0];
}

// tone gives an audio track of one steady frequency, in Hz.
function tone(frequency) {
  const context = new AudioContext({ sampleRate: 48000 });
  const oscillator = new OscillatorNode(context, { frequency });
  const output = context.createMediaStreamDestination();
  oscillator.connect(new GainNode(context, { gain: 0.3 })).connect(output);
  oscillator.start();
  return output.stream.getAudioTracks()[0];
}

// sourceOf knows "camera", small enough for a software encoder beside others, "wide camera", which has room for three
// simulcast layers, "microphone", "tone 440", and colours.
export async function sourceOf(name) {
  if (name === 'camera') return camera(640, 360, 20);
  if (name === 'wide camera') return camera(960, 540, 15);
  if (name === 'microphone') return microphone();
  if (name.startsWith('tone ')) return tone(Number(name.slice(5)));
  return painted(name);
}
