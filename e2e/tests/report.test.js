import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { launch } from '../lib/browsers.js';
import { binary } from '../lib/emulator.js';

// The page of callsemu conformance --report, of a target that answers 200 to everything: all fails but what does not apply.

async function report(file) {
  const target = createServer((_, response) => response.end('{}')).listen(0, '127.0.0.1');
  await new Promise((listening) => target.once('listening', listening));
  const flags = [`--base-url=http://127.0.0.1:${target.address().port}`, '--app-id=a', '--app-secret=b', '--run=^(auth|session)/', `--report=${file}`];
  const status = await new Promise((ended) => execFile(binary(), ['conformance', ...flags], (error) => ended(error?.code ?? 0)));
  target.close();
  assert.equal(status, 1);
}

test('links of a report lead to their case, whatever the filter hides', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'callsemu-report-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const file = join(dir, 'report.html');
  await report(file);
  const browser = await launch('chromium');
  t.after(() => browser.close());
  const page = await browser.newPage();
  await page.goto(pathToFileURL(file).href);
  const filter = (words) => page.$eval('#text', (input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }, words);
  const shown = () => page.$$eval('.case:not([hidden])', (cases) => cases.map(({ id }) => id));
  const click = (id) => page.evaluate((wanted) => [...document.querySelectorAll('a')].find((a) => a.textContent === wanted).click(), id);
  // read waits until the case is open and begins below the bar of the filter.
  const read = (id) => page.waitForFunction((wanted) => {
    const found = document.getElementById(wanted);
    const { bottom } = document.getElementById('controls').getBoundingClientRect();
    const { top } = found.getBoundingClientRect();
    return !found.hidden && found.open && top >= bottom - 1 && top < bottom + 100;
  }, { timeout: 10_000 }, id);

  const everything = (await shown()).length;
  await filter('unauthorized/401');
  const unauthorized = await shown();
  assert.ok(unauthorized.includes('auth/secret') && !unauthorized.includes('session/new'), `the filter for a code shows ${unauthorized}`);
  await click('session/new');
  await read('session/new');
  assert.equal((await shown()).length, everything, 'the filter is still there');
  await page.click('#close');
  await click('session/new');
  await read('session/new');
});
