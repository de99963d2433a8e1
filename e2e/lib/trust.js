import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { binary } from './emulator.js';

// Trust is what `callsemu env` prints for Chromium, done in a home directory of its own: the CA in the NSS database there, by
// certutil, and the flag that leads the names of the service to the emulator. Certificates are checked as ever.
export class Trust {
  flags; // of Chromium
  env; // of Chromium, besides what it has
  #home = mkdtempSync(join(tmpdir(), 'callsemu-'));

  constructor(emulator) {
    const printed = run(binary(), ['env', '--url', new URL(emulator.baseUrl).origin]);
    const [certutil] = printed.match(/(?<=^# +)certutil .*/m);
    const [, rules] = printed.match(/--host-resolver-rules='(.*)'/);
    const database = join(this.#home, '.pki', 'nssdb');
    this.env = { HOME: this.#home };
    mkdirSync(database, { recursive: true });
    run('certutil', ['-d', `sql:${database}`, '-N', '--empty-password']); // a browser that ran before has made it
    run('sh', ['-c', certutil], this.env);
    this.flags = [`--host-resolver-rules=${rules}`];
  }

  remove() {
    rmSync(this.#home, { recursive: true });
  }
}

function run(command, args, env) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', env: { ...process.env, ...env } });
  if (status !== 0) throw new Error(`${command}: ${error ?? stderr}`);
  return stdout;
}
