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
  '--autoplay-policy=no-user-gesture-required',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-gpu',
  '--disable-quic',
  '--disable-sync',
  '--no-first-run',
  'about:blank',
];

// granted: every page may use camera and microphone. One that may not keeps the machine's addresses to itself, as pages do for
// which nobody was asked; only then Chromium has candidates from a STUN server that is on the same machine.
const granted = '--use-fake-ui-for-media-stream';

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

// launch starts a headless browser of its own process with an empty profile. Chromium may have a Trust, and no permission for the camera.
export function launch(kind, options) {
  return kind === 'firefox' ? launchFirefox() : launchChromium(options);
}

function launchChromium({ trust, camera = true } = {}) {
  const flags = [...(trust?.flags ?? []), ...(camera ? [granted] : [])];
  return puppeteer.launch({
    executablePath: locate(process.env.CHROME_PATH, chromiumNames),
    ignoreDefaultArgs: true,
    args: [...flags, ...chromiumFlags], // the page comes last
    env: { ...process.env, ...trust?.env },
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
