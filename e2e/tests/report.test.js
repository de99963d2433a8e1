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

// open shows a report in a page of that many CSS pixels.
async function open(t, width) {
  const dir = mkdtempSync(join(tmpdir(), 'callsemu-report-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const file = join(dir, 'report.html');
  await report(file);
  const browser = await launch('chromium');
  t.after(() => browser.close());
  const page = await browser.newPage();
  await page.setViewport({ width, height: 800 });
  await page.goto(pathToFileURL(file).href);
  return page;
}

test('a report fits a narrow screen, with all of it open', async (t) => {
  const page = await open(t, 400);
  await page.evaluate(() => { for (const part of document.querySelectorAll('details')) part.open = true; });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= 400, `the page is ${wide} pixels wide`);
  const broken = await page.$$eval('thead th', (cells) => cells.map(({ textContent, firstChild }) => {
    const text = document.createRange();
    text.selectNodeContents(firstChild);
    return { textContent, lines: text.getClientRects().length };
  }).filter(({ textContent, lines }) => lines > textContent.split(' ').length));
  assert.deepEqual(broken, [], 'words of the table are broken');
});

test('links of a report lead to their case, whatever the filter hides', async (t) => {
  const page = await open(t, 800);
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
