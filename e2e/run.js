// Runs every browser test, one after the other: `npm test [-- tests/close.test.js]`.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { binary } from './lib/emulator.js';

const here = fileURLToPath(new URL('.', import.meta.url));
const chosen = process.argv.slice(2);
const all = readdirSync(`${here}tests`).filter((name) => name.endsWith('.test.js'));
const files = chosen.length ? chosen : all.map((name) => `tests/${name}`);

binary(); // built once, here, for all test files
const flags = ['--test', '--test-concurrency=1', '--test-reporter=spec'];
const { status } = spawnSync(process.execPath, [...flags, ...files], { cwd: here, stdio: 'inherit' });
process.exit(status ?? 1);
