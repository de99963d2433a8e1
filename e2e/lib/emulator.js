import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { poll } from './poll.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const buildDir = fileURLToPath(new URL('../.build/', import.meta.url));

// binary names the callsemu program under test: CALLSEMU_BIN, or one built from the work tree.
export function binary() {
  process.env.CALLSEMU_STATE_DIR ??= `${buildDir}state`; // the CA for HTTPS, apart from the user's
  if (!process.env.CALLSEMU_BIN) {
    mkdirSync(buildDir, { recursive: true });
    const path = `${buildDir}callsemu`;
    const built = spawnSync('go', ['build', '-o', path, './cmd/callsemu'], { cwd: root, encoding: 'utf8' });
    if (built.status !== 0) throw new Error(`go build: ${built.error ?? built.stderr}`);
    process.env.CALLSEMU_BIN = path;
  }
  return process.env.CALLSEMU_BIN;
}

// Emulator is one running callsemu process with one seeded app; ports are the kernel's choice.
export class Emulator {
  // appId has 32 and secret 64 hexadecimal characters, as the real service's have (contract 0.3).
  appId = randomBytes(16).toString('hex');
  secret = randomBytes(32).toString('hex');
  baseUrl = '';
  #process;
  #exited;
  #output = { stdout: '', stderr: '' };

  static async start(...flags) {
    const emulator = new Emulator();
    const running = process.env.CALLSEMU_URL;
    if (running) await emulator.#use(running, flags);
    else await emulator.#start(flags);
    return emulator;
  }

  // use takes an emulator that somebody else started, in the mode dev, for example in a container.
  async #use(url, flags) {
    if (flags.length) throw new Error(`this test needs an emulator of its own, with ${flags.join(' ')}; unset CALLSEMU_URL`);
    this.baseUrl = `${new URL(url).origin}/v1`;
    await poll('callsemu: ready', async () => (await fetch(new URL('/readyz', this.baseUrl)).catch(() => ({}))).ok);
  }

  async #start(flags) {
    const args = ['--listen', '127.0.0.1:0', '--stun', '127.0.0.1:0', '--app', `${this.appId}:${this.secret}`, ...flags];
    this.#process = spawn(binary(), args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#exited = once(this.#process, 'exit');
    process.once('exit', () => this.#process.kill());
    for (const name of ['stdout', 'stderr']) {
      this.#process[name].setEncoding('utf8').on('data', (text) => (this.#output[name] += text));
    }
    try {
      this.baseUrl = await this.#whenRunning('start message with the base URL', () => this.#announced());
      const ready = new URL('/readyz', this.baseUrl);
      await this.#whenRunning('ready', async () => (await fetch(ready).catch(() => ({}))).ok);
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  // announced finds the base URL in the start message once the line is complete.
  #announced() {
    const lines = this.#output.stdout.split('\n').slice(0, -1);
    const url = lines.map((line) => line.match(/https?:\/\/[^\s"']+/)?.[0]).find(Boolean);
    return url && `${new URL(url).origin}/v1`;
  }

  #whenRunning(what, probe) {
    const guarded = () => {
      const { exitCode } = this.#process;
      if (exitCode !== null) throw new Error(`callsemu ended with ${exitCode}\n${this.log}`);
      return probe();
    };
    return poll(`callsemu: ${what}`, guarded, { every: 20, describe: () => this.log });
  }

  // state is what the emulator says of itself: apps, sessions, tracks, layers.
  state() {
    return this.#control('GET', 'state');
  }

  // fixEstimate says how many bits a second reach a session's endpoint, in place of what is measured; 0 ends that.
  fixEstimate(sessionId, bitrate) {
    return this.#control('PUT', 'settings', { estimates: { [sessionId]: bitrate } });
  }

  // advertise replaces the addresses that the emulator offers, "host:port" each; an empty list means its own again.
  advertise(addresses) {
    return this.#control('PUT', 'settings', { advertise: addresses });
  }

  // reset closes every session.
  reset() {
    return this.#control('POST', 'reset');
  }

  async #control(method, what, body) {
    const response = await fetch(new URL(`/_emu/${what}`, this.baseUrl), { method, body: body && JSON.stringify(body) });
    if (!response.ok) throw new Error(`${method} /_emu/${what}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  // log is everything that the process has written so far.
  get log() {
    return `${this.#output.stdout}\n${this.#output.stderr}`;
  }

  // stop asks for a clean end and returns the exit status. What somebody else started runs on.
  async stop() {
    if (!this.#process) return 0;
    if (this.#process.exitCode === null && this.#process.signalCode === null) this.#process.kill('SIGTERM');
    const lateKill = setTimeout(() => this.#process.kill('SIGKILL'), 5_000);
    const [status, signal] = await this.#exited;
    clearTimeout(lateKill);
    return status ?? signal;
  }
}
