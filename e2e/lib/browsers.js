import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import puppeteer from 'puppeteer-core';

const chromiumNames = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const firefoxNames = ['firefox-esr', 'firefox'];

// chromiumFlags: headless, no sandbox, fake camera and microphone; the others only keep the browser from calling out.
// puppeteer's own defaults are left out, so that WebRTC behaves as in a user's browser.
const chromiumFlags = [
  '--headless',
  '--no-sandbox',
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
  '--autoplay-policy=no-user-gesture-required',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-gpu',
  '--disable-quic',
  '--disable-sync',
  '--no-first-run',
  'about:blank',
];

const firefoxPreferences = {
  'media.navigator.streams.fake': true,
  'media.navigator.permission.disabled': true,
  'media.autoplay.default': 0,
  // Codec plugins would be downloaded.
  'media.gmp-manager.updateEnabled': false,
};

function onPath(names) {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(runnable);
}

function runnable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function locate(override, names) {
  const path = override || onPath(names);
  if (!path) throw new Error(`none of these browsers is on the PATH: ${names.join(', ')}`);
  return path;
}

// launch starts a headless browser of its own process with an empty profile.
export function launch(kind) {
  return kind === 'firefox' ? launchFirefox() : launchChromium();
}

function launchChromium() {
  return puppeteer.launch({
    executablePath: locate(process.env.CHROME_PATH, chromiumNames),
    ignoreDefaultArgs: true,
    args: chromiumFlags,
    defaultViewport: null,
    protocolTimeout: 30_000,
  });
}

function launchFirefox() {
  return puppeteer.launch({
    browser: 'firefox',
    executablePath: locate(process.env.FIREFOX_PATH, firefoxNames),
    headless: true,
    extraPrefsFirefox: firefoxPreferences,
    defaultViewport: null,
    protocolTimeout: 30_000,
  });
}
