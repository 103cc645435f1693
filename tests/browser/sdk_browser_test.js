'use strict';

// The npm package of sdk/js in Chromium: as a module script, and when the network changes.

const assert = require('node:assert/strict');
const child_process = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const harness = require('./harness.js');
const {startBrowser, startChannelServer, startWebSocketService, until, withCleanUp} = harness;

const WebSocket = harness.requireInstalled('ws');
const groupcast = require(harness.argument('groupcast'));

const TIMEOUT = {timeout: 120000};

// The service serves the unpacked package, and a page that takes it as a module script.
async function open() {
  const pages = path.join(harness.temporaryFolder(), 'pages');
  child_process.execFileSync(process.execPath, [fs.realpathSync(harness.argument('build')), `--out=${pages}`]);
  fs.writeFileSync(path.join(pages, 'index.html'), `<!DOCTYPE html><title>SDK</title><script type="module">
    import {Client} from './groupcast.mjs';
    import * as all from './groupcast.mjs';
    globalThis.sdk = {Client, names: Object.keys(all)};
  </script>`);
  const service = await startWebSocketService(await startChannelServer(), 0, pages);
  const browser = await startBrowser();
  const page = await browser.newPage();
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.stack));
  await page.goto(`http://127.0.0.1:${service.port}/`);
  await page.waitForFunction(() => globalThis.sdk);
  return {service, page, errors};
}

test('a module script joins, sends and iterates', TIMEOUT, withCleanUp(async () => {
  const {page, errors} = await open();
  const seen = await page.evaluate(async () => {
    const {Client, names} = globalThis.sdk;
    const client = new Client(location.origin.replace('http', 'ws'));
    const heard = [];
    await client.join('a', (message) => heard.push(message));
    const {offset} = await client.send('a', {text: 'مرحبا'});
    const {messages} = await client.history('a');
    const {count} = await client.members('a', {countOnly: true});
    client.leave('a');
    client.send('a', 'one');
    client.send('a', 'two');
    const iterated = [];
    for await (const {message} of client.group('a', {since: {epoch: messages[0].epoch, offset}})) {
      iterated.push(message);
      if (message === 'two') break;
    }
    client.close();
    return {names, heard, count, history: messages.map(({message}) => message), iterated};
  });
  assert.deepEqual(seen, {
    names: ['Client', 'GroupcastError'], heard: [{text: 'مرحبا'}], count: 1, history: [{text: 'مرحبا'}],
    iterated: ['one', 'two'],
  });
  assert.deepEqual(errors, []);
}));

test('a page is back soon when its network is', TIMEOUT, withCleanUp(async () => {
  const {service, page, errors} = await open();
  const proxy = await harness.Proxy.start(service.port);
  await page.evaluate(async (url) => {
    const client = globalThis.client = new globalThis.sdk.Client(url);
    globalThis.states = [];
    globalThis.heard = [];
    client.on('state', ({state}) => globalThis.states.push(state));
    await client.join('a', (message) => globalThis.heard.push(message));
  }, `ws://127.0.0.1:${proxy.port}`);
  proxy.swallow();
  // The line is dead, and nothing tells it. By silence alone the client would find out after 45 s, and until() gives up
  // before.
  await page.evaluate(() => {
    globalThis.sent = globalThis.client.send('a', 'after the change');
    window.dispatchEvent(new Event('offline'));
    window.dispatchEvent(new Event('online'));
  });
  await until('the message is heard', async () => (await page.evaluate(() => globalThis.heard)).length > 0);
  assert.deepEqual(await page.evaluate(() => globalThis.heard), ['after the change']);
  assert.ok(await page.evaluate(async () => (await globalThis.sent).offset) > 0);
  assert.deepEqual(await page.evaluate(() => globalThis.states), ['open', 'waiting', 'connecting', 'open']);
  await page.evaluate(() => globalThis.client.close());
  assert.deepEqual(errors, []);
}));

test('a page that Chromium takes offline for a while misses nothing', TIMEOUT, withCleanUp(async () => {
  const {service, page, errors} = await open();
  const network = await harness.Proxy.start(service.port);
  await page.evaluate(async (url) => {
    const client = globalThis.client = new globalThis.sdk.Client(url);
    globalThis.states = [];
    globalThis.signs = [];
    globalThis.heard = [];
    client.on('state', ({state}) => globalThis.states.push(state));
    for (const sign of ['offline', 'online']) window.addEventListener(sign, () => globalThis.signs.push(sign));
    await client.join('a', (message) => globalThis.heard.push(message));
  }, `ws://127.0.0.1:${network.port}`);
  const other = new groupcast.Client(`ws://127.0.0.1:${service.port}`, {WebSocket});
  try {
    await other.send('a', 'before');
    await until('it is heard', async () => (await page.evaluate(() => globalThis.heard)).length === 1);
    network.breakDown(true);
    await page.context().setOffline(true);
    await until('the page knows', () => page.evaluate(() => globalThis.signs.includes('offline')));
    await page.evaluate(() => { globalThis.sent = globalThis.client.send('a', 'of the page'); });
    for (let n = 0; n < 20; ++n) await other.send('a', n);
    await until('the page has noticed the loss', () => page.evaluate(() => globalThis.states.includes('waiting')));
    network.restore();
    await page.context().setOffline(false);
    const begin = performance.now();
    await until('all is heard', async () => (await page.evaluate(() => globalThis.heard)).length === 22);
    console.log(`back, with all messages, ${Math.round(performance.now() - begin)} ms after the network`);
    const heard = await page.evaluate(() => globalThis.heard);
    assert.deepEqual(heard.filter((message) => typeof message === 'number'), Array.from({length: 20}, (_, n) => n));
    assert.equal(heard.filter((message) => message === 'of the page').length, 1);
    assert.deepEqual(await page.evaluate(() => globalThis.signs), ['offline', 'online']);
    assert.deepEqual(errors, []);
  } finally {
    other.close();
    await page.evaluate(() => globalThis.client.close());
  }
}));
