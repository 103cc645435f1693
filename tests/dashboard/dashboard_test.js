'use strict';

// The dashboard as a person sees it: its numbers are those of the traffic, what is wrong is told in words, and a group
// can be looked into.

const assert = require('node:assert/strict');
const child_process = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const {
  argument, requireInstalled, screenshot, startBrowser, startChannelServer, startHttpGateway, startWebSocketService, until,
  withCleanUp,
} = require('../browser/harness.js');

const TIMEOUT = {timeout: 120000};
const WIDE = {width: 1280, height: 900};
const PHONE = {width: 390, height: 844};

const text = (page, selector) => page.locator(selector).textContent();

/** The services, the gateway with its dashboard, and their addresses. */
async function startAll(flags = []) {
  const channelServer = await startChannelServer();
  const webSocketService = await startWebSocketService(channelServer);
  const admins = [channelServer, webSocketService].filter(({adminPort}) => adminPort)
      .map(({adminPort}) => `127.0.0.1:${adminPort}`);
  const gatewayFlags = [
    // The files under Bazel's runfiles are links, and those that leave the directory are not served.
    `--dashboard_pages=${path.dirname(fs.realpathSync(argument('dashboard')))}`, `--dashboard_services=${admins.join()}`, ...flags];
  const gateway = await startHttpGateway(channelServer, gatewayFlags);
  return {channelServer, webSocketService, gateway, gatewayFlags, url: `http://127.0.0.1:${gateway.port}`};
}

/** Opens the dashboard. `expected`: errors on the console that belong to the test. */
async function open(browser, url, {viewport = WIDE, colorScheme = 'light', expected = /^$/} = {}) {
  const context = await browser.newContext({viewport, colorScheme});
  const page = await context.newPage();
  page.defects = [];
  page.on('pageerror', (error) => page.defects.push(error.stack));
  page.on('console', (message) => {
    if (message.type() === 'error' && !expected.test(message.text())) page.defects.push(message.text());
  });
  await page.goto(`${url}/dashboard`);
  return page;
}

/** Until the line at the top says something like this. */
function headline(page, pattern) {
  return until(`the headline says ${pattern}`, async () => pattern.test(await text(page, '#headline')), 30000);
}

async function tile(page, name) {
  return page.locator('#tiles > div', {has: page.locator('dt', {hasText: name})}).innerText();
}

/** WebSocket clients that are members of a group. */
async function members(port, group, howMany) {
  const {WebSocket} = requireInstalled('ws');
  const clients = await Promise.all(Array.from({length: howMany}, () => new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}`, 'groupcast.v1.json');
    socket.received = 0;
    socket.on('error', reject);
    socket.on('open', () => socket.send(JSON.stringify({cmd: 'add_group', group_id: group, id: 1})));
    socket.on('message', (data) => {
      const event = JSON.parse(data);
      if (event.event === 'reply') resolve(socket);
      if (event.event === 'message') ++socket.received;
    });
  })));
  return clients;
}

async function publish(url, group, texts, headers = {}) {
  const answer = await fetch(`${url}/v1/messages`, {
    method: 'POST', headers: {'Content-Type': 'application/json', ...headers},
    body: JSON.stringify({messages: texts.map((message) => ({group_id: group, message}))}),
  });
  assert.equal(answer.status, 200);
  for (const result of (await answer.json()).results) assert.ok(result.offset > 0, JSON.stringify(result));
}

const words = (prefix, count) => Array.from({length: count}, (_, i) => `${prefix} ${i}`);

test('its numbers are those of the traffic', TIMEOUT, withCleanUp(async () => {
  const {webSocketService, url} = await startAll();
  const clients = await members(webSocketService.port, 'news', 20);
  const page = await open(await startBrowser(), url);
  await headline(page, /^All is well$/);
  await until('the connections are counted', async () => /\n20 memberships/.test(await tile(page, 'Connections')));

  // In the last minute: all of it, as it takes less.
  for (let i = 0; i < 10; ++i) await publish(url, 'news', words(`load ${i}`, 50));
  await until('every member has every message', () => clients.every(({received}) => received === 500));
  await until('the publications are counted', async () => /\n500 in the last minute/.test(await tile(page, 'Published')));
  await until('the deliveries are counted', async () => /\n10,000 in the last minute/.test(await tile(page, 'Delivered')));
  assert.match(await tile(page, 'Median latency'), /\n[\d.]+ (ms|s)\n99 % within [\d.]+ (ms|s)/);

  // The page shows each service with its workers.
  const card = page.locator('.service', {has: page.locator('h3', {hasText: 'WebSocket service'})});
  assert.equal(await card.getAttribute('data-state'), 'ready');
  assert.match(await card.locator('.facts').innerText(), /Workers ready\n4 of 4\nConnections\n20\n/);
  await card.locator('summary').click();
  assert.equal(await card.locator('tbody tr').count(), 4);
  const perWorker = await card.locator('tbody tr td:nth-child(2)').allTextContents();
  assert.equal(perWorker.reduce((sum, number) => sum + Number(number), 0), 20, perWorker.join());

  // The page has words for each limit and error that the services count.
  const {services} = await (await fetch(`${url}/v1/services`)).json();
  const known = await page.evaluate(async () => {
    const {LIMITS, ERRORS} = await import('./words.js');
    return {limit: Object.keys(LIMITS), code: Object.keys(ERRORS)};
  });
  for (const [name, label] of [['groupcast_limit_hits_total', 'limit'], ['groupcast_errors_total', 'code']]) {
    const counted = new Set(services.flatMap(({metrics}) => metrics[name] || []).map(({labels}) => labels[label]));
    assert.ok(counted.size > 5, `${name} has ${[...counted]}`);
    for (const word of counted) assert.ok(known[label].includes(word), `no words for the ${label} ${word}`);
  }

  // Limits and errors, with what they mean.
  clients[0].send(JSON.stringify({cmd: 'send_to_group', group_id: 'news', message: 'x'.repeat(70000)}));
  await headline(page, /^The limit "message" bites$/);
  assert.match(await text(page, '#problems'), /Messages were over the size limit and were refused\. See --max_message_bytes\./);
  assert.match(await page.locator('#limits').innerText(), /message\nwebsocket_service\n1 in the last minute/);
  assert.match(await page.locator('#errors').innerText(), /message_too_large\nwebsocket_service\n1 in the last minute/);
  assert.deepEqual(page.defects, []);
  await screenshot(page, 'dashboard-limit');
}));

test('what ends is told in words, and that it is back', TIMEOUT, withCleanUp(async () => {
  const all = await startAll();
  const page = await open(await startBrowser(), all.url, {expected: /Failed to load resource/});
  await headline(page, /^All is well$/);

  process.kill(all.webSocketService.workers()[1], 'SIGKILL');
  await headline(page, /^Worker \d of the WebSocket service has ended and was replaced$/);
  assert.equal(await page.locator('#status').getAttribute('data-level'), 'warn');

  await all.channelServer.stop();
  await headline(page, /^The channel server at [\d.:]+ is down/);
  assert.equal(await page.locator('#status').getAttribute('data-level'), 'bad');
  assert.match(await text(page, '#problems'), /Members get no messages/);
  assert.match(await text(page, '#problems'), /The WebSocket service at [\d.:]+ is not ready/);
  await screenshot(page, 'dashboard-down');

  const {port} = all.gateway;
  await all.gateway.stop();
  await headline(page, /^The gateway does not answer$/);
  const channelServer = await startChannelServer();
  await startHttpGateway(channelServer, [...all.gatewayFlags, `--port=${port}`]);
  // The other services still look for the channel server that has gone.
  await headline(page, /^The (channel server|WebSocket service) at [\d.:]+ is/);
  assert.deepEqual(page.defects, []);
}));

test('one group in detail', TIMEOUT, withCleanUp(async () => {
  const {webSocketService, url} = await startAll();
  const clients = await members(webSocketService.port, 'a/b قهوة', 3);
  await publish(url, 'a/b قهوة', ['first', '<img src=x onerror=alert(1)>']);
  const page = await open(await startBrowser(), url);
  await page.getByRole('button', {name: 'a/b قهوة'}).click();
  await until('the members are there', async () => await text(page, '#members-count') === '3');
  assert.equal(await page.locator('#members li').count(), 3);
  const shown = () => page.locator('#messages .text').allTextContents();
  await until('the messages are there', async () => (await shown()).length === 2);
  assert.deepEqual(await shown(), ['first', '<img src=x onerror=alert(1)>']);
  assert.equal(await page.locator('#messages img').count(), 0);

  await page.getByLabel('Send a test message').fill('from the dashboard');
  await page.getByRole('button', {name: 'Send'}).click();
  await page.getByText(/^Sent\. The message has the offset \d+\.$/).waitFor();
  await until('members have it', () => clients.every(({received}) => received === 3));
  await until('and the page shows it', async () => (await shown()).includes('from the dashboard'));
  assert.equal(await text(page, '#members-count'), '3', 'to look is not to join');

  await page.getByLabel('Follow live').check();
  await until('the page is a member', async () => await text(page, '#members-count') === '4');
  await publish(url, 'a/b قهوة', ['live']);
  await until('the page shows a live message', async () => (await shown()).at(-1) === 'live');
  assert.deepEqual(await shown(), ['first', '<img src=x onerror=alert(1)>', 'from the dashboard', 'live']);
  clients[0].close();
  await page.locator('#messages .note', {hasText: 'left'}).waitFor();
  await screenshot(page, 'dashboard-group');
  await page.getByLabel('Follow live').uncheck();
  await until('the page has left', async () => await text(page, '#members-count') === '2');

  await page.reload();
  await until('the group is open again', async () => (await shown()).length === 4);
  assert.deepEqual(page.defects, []);
}));

test('it fits, and nothing but its own files runs', TIMEOUT, withCleanUp(async () => {
  const {webSocketService, url} = await startAll();
  await members(webSocketService.port, 'g'.repeat(128), 2);
  const browser = await startBrowser();
  for (const [name, viewport] of [['wide', WIDE], ['phone', PHONE]]) {
    for (const colorScheme of ['light', 'dark']) {
      const page = await open(browser, url, {viewport, colorScheme});
      await headline(page, /^All is well$/);
      await page.getByLabel('Look into a group').fill('g'.repeat(128));
      await page.getByRole('button', {name: 'Open'}).click();
      await until('the members are there', async () => await text(page, '#members-count') === '2');
      assert.equal(await page.locator('.chart canvas').count(), 3);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.equal(overflow, 0, `${name} ${colorScheme}`);
      const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      assert.equal(background, colorScheme === 'dark' ? 'rgb(14, 16, 22)' : 'rgb(243, 244, 248)');
      // A script of the page cannot measure the colors of a canvas's neighbours; a person looks at these.
      await screenshot(page, `dashboard-${name}-${colorScheme}`);
      assert.deepEqual(page.defects, []);
      await page.context().close();
    }
  }

  const page = await open(browser, url, {expected: /Content Security Policy/});
  await headline(page, /^All is well$/);
  const blocked = await page.evaluate(async () => {
    const violations = [];
    document.addEventListener('securitypolicyviolation', (event) => violations.push(event.effectiveDirective));
    const script = document.createElement('script');
    script.textContent = 'window.injected = true';
    document.body.append(script);
    const image = document.createElement('img');
    image.src = 'http://127.0.0.1:1/x.png';
    document.body.append(image);
    await fetch('http://127.0.0.1:1/').catch(() => {});
    while (violations.length < 3) await new Promise((resolve) => setTimeout(resolve, 10));
    return {violations: violations.sort(), injected: window.injected};
  });
  assert.deepEqual(blocked, {violations: ['connect-src', 'img-src', 'script-src-elem'], injected: undefined});
  assert.deepEqual(page.defects, []);
}));

test('with API keys it asks for one, and keeps it in the tab alone', TIMEOUT, withCleanUp(async () => {
  const KEY = /gck_[A-Za-z0-9_-]{43}/;
  const keys = ['manage,read,observe,publish', 'read,observe,publish'].map((scopes, i) => child_process.spawnSync(
      argument('api_key'), [`--name=dashboard${i}`, `--scopes=${scopes}`], {encoding: 'utf8'}));
  for (const {status, stderr} of keys) assert.equal(status, 0, stderr);
  const [key] = keys[0].stderr.match(KEY);
  const config = path.join(process.env.TEST_TMPDIR, 'dashboard_keys.json');
  fs.writeFileSync(config, `{"api_keys": [${keys.map(({stdout}) => stdout)}]}`);
  const {webSocketService, url} = await startAll([`--config=${config}`]);
  await members(webSocketService.port, 'news', 2);
  const page = await open(await startBrowser(), url, {expected: /status of 40[13]/});
  await headline(page, /^This page needs an API key$/);
  assert.ok(await page.locator('#main').isHidden());
  const enter = async (value) => {
    await page.getByLabel('API key').fill(value);
    await page.getByRole('button', {name: 'Use this key'}).click();
  };
  const [weak] = keys[1].stderr.match(KEY);
  await enter(weak);
  await headline(page, /^The gateway refuses this key$/);
  assert.match(await text(page, '#key-problem'), /the scope manage/);
  await enter(key.slice(0, -1) + (key.endsWith('A') ? 'E' : 'A'));
  await headline(page, /^The gateway refuses this key$/);
  assert.match(await text(page, '#key-problem'), /The API key is not one of this service/);
  await screenshot(page, 'dashboard-key');
  await enter(key);
  await headline(page, /^All is well$/);
  assert.ok(await page.locator('#key-form').isHidden());
  assert.ok(!page.url().includes('gck_'));

  // The stream shows the key too.
  await page.getByLabel('Look into a group').fill('news');
  await page.getByRole('button', {name: 'Open'}).click();
  await page.getByLabel('Follow live').check();
  await until('the page is a member', async () => await text(page, '#members-count') === '3');
  await publish(url, 'news', ['live'], {Authorization: `Bearer ${key}`});
  await page.locator('#messages .text', {hasText: 'live'}).waitFor();

  await page.reload();
  await headline(page, /^All is well$/);
  await page.getByRole('button', {name: 'Forget the key'}).click();
  await headline(page, /^This page needs an API key$/);
  assert.deepEqual(page.defects, []);
}));
