'use strict';

// The sample page as a person uses it: two tabs that talk, and a service that goes away and comes back.

const assert = require('node:assert/strict');
const test = require('node:test');
const {pathToFileURL} = require('node:url');
const harness = require('./harness.js');
const {screenshot, startBrowser, startChannelServer, startWebSocketService, withCleanUp} = harness;

const TIMEOUT = {timeout: 120000};

async function openTab(context, url, name, group) {
  const page = await context.newPage();
  page.on('pageerror', (error) => assert.fail(`in the page: ${error.stack}`));
  const query = new URLSearchParams({name, group});
  await page.goto(url + (url.includes('?') ? '&' : '?') + query);
  assert.equal(await page.getByLabel('Your name').inputValue(), name);
  assert.equal(await page.getByLabel('Group', {exact: true}).inputValue(), group);
  await state(page, 'open');
  return page;
}

async function join(page, group) {
  await page.getByRole('button', {name: 'Join'}).click();
  await page.getByText(`You are in ${group}.`).waitFor();
}

async function say(page, text) {
  const field = page.getByLabel('Message', {exact: true});
  await field.fill(text);
  await field.press('Enter');
}

const state = (page, name) => page.locator(`#state[data-state="${name}"]`).waitFor();
const own = (page, text) => page.locator('.message.own .bubble').getByText(text, {exact: true}).waitFor();
const others = (page, text) => page.locator('.message:not(.own) .bubble').getByText(text, {exact: true}).waitFor();
const bubbles = (page) => page.locator('.bubble').allTextContents();

test('two tabs talk, and go on talking after the service was away', TIMEOUT, withCleanUp(async () => {
  const channelServer = await startChannelServer();
  let service = await startWebSocketService(channelServer);
  const url = `http://127.0.0.1:${service.port}/`;
  const browser = await startBrowser();
  const context = await browser.newContext({viewport: {width: 1100, height: 760}, colorScheme: 'light'});
  const amina = await openTab(context, url, 'Amina', 'قهوة');
  const bruno = await openTab(context, url, 'Bruno', 'قهوة');
  assert.equal(await amina.locator('#state').textContent(), 'Connected');
  await screenshot(amina, '1-before-joining');
  await join(amina, 'قهوة');
  await join(bruno, 'قهوة');

  await amina.getByLabel('Message', {exact: true}).fill('Hello! Is anybody here?');
  await amina.getByRole('button', {name: 'Send'}).click();
  await own(amina, 'Hello! Is anybody here?');
  await others(bruno, 'Hello! Is anybody here?');
  await say(bruno, 'هذه هي الرسالة');
  await own(bruno, 'هذه هي الرسالة');
  await others(amina, 'هذه هي الرسالة');
  assert.equal(await amina.locator('.message:not(.own) .who').textContent(), 'Bruno');

  // A bare client may send anything: it is shown, as text.
  await bruno.evaluate((port) => new Promise((resolve) => {
    const ws = new WebSocket(`ws://127.0.0.1:${port}`);
    ws.onopen = () => ws.send(JSON.stringify(
        {cmd: 'send_to_group', group_id: 'قهوة', message: '<img src=x onerror=alert(1)>', id: 1}));
    ws.onmessage = () => { ws.close(); resolve(); };
  }), service.port);
  await others(amina, '<img src=x onerror=alert(1)>');
  assert.equal(await amina.locator('.log img').count(), 0);
  assert.deepEqual(await bubbles(amina),
      ['Hello! Is anybody here?', 'هذه هي الرسالة', '<img src=x onerror=alert(1)>']);
  await screenshot(amina, '2-talking');

  // The service stops and comes back on its port.
  const port = service.port;
  await service.stop();
  await state(amina, 'waiting');
  await state(bruno, 'waiting');
  assert.match(await amina.locator('#state').textContent(), /^Reconnecting/);
  await say(amina, 'Said while the service was away');
  await amina.getByText('Will be sent when connected: Said while the service was away').waitFor();
  await screenshot(amina, '3-reconnecting');
  service = await startWebSocketService(channelServer, port);
  await state(bruno, 'open');
  await own(amina, 'Said while the service was away');
  await state(amina, 'open');
  // Whichever of the two was back first: Bruno is given what he missed.
  await others(bruno, 'Said while the service was away');
  await say(bruno, 'Back again');
  await others(amina, 'Back again');
  await say(amina, 'Me too');
  await others(bruno, 'Me too');
  await screenshot(amina, '4-back');

  // Every worker dies at once; their successors take the clients over.
  for (const page of [amina, bruno]) {
    await page.evaluate(() => {
      window.states = [];
      new MutationObserver(() => window.states.push(document.getElementById('state').dataset.state))
          .observe(document.getElementById('state'), {attributeFilter: ['data-state']});
    });
  }
  const workers = service.workers();
  assert.equal(workers.length, 4);
  for (const pid of workers) process.kill(pid, 'SIGKILL');
  for (const page of [amina, bruno]) {
    await page.waitForFunction(() => window.states.includes('waiting') && window.states.slice(-1)[0] === 'open');
  }
  await say(bruno, 'Still here');
  await others(amina, 'Still here');
  await say(amina, 'So am I');
  await own(amina, 'So am I');
  await others(bruno, 'So am I');
  // Both have seen everything, once and in one order.
  assert.deepEqual(await bubbles(bruno), await bubbles(amina));
  assert.equal((await bubbles(amina)).length, 8);
}));

test('to switch the group and to leave it', TIMEOUT, withCleanUp(async () => {
  const service = await startWebSocketService(await startChannelServer());
  const browser = await startBrowser();
  const context = await browser.newContext({viewport: {width: 390, height: 780}, colorScheme: 'dark'});
  const url = `http://127.0.0.1:${service.port}/`;
  const amina = await openTab(context, url, 'Amina', 'one');
  const bruno = await openTab(context, url, 'Bruno', 'two');
  await join(amina, 'one');
  await join(bruno, 'two');
  await say(amina, 'In one');
  await own(amina, 'In one');

  await amina.getByLabel('Group', {exact: true}).fill('two');
  await amina.getByRole('button', {name: 'Switch'}).click();
  await amina.getByText('You are in two.').waitFor();
  await say(bruno, 'In two');
  await others(amina, 'In two');
  assert.deepEqual(await bubbles(amina), ['In two']);
  assert.deepEqual(await bubbles(bruno), ['In two']);
  await screenshot(amina, '5-phone');

  await amina.getByRole('button', {name: 'Leave'}).click();
  await amina.getByText('You left two.').waitFor();
  assert.ok(await amina.getByLabel('Message', {exact: true}).isDisabled());
  await amina.getByRole('button', {name: 'Join'}).click();
  await amina.getByRole('button', {name: 'Leave'}).waitFor();
  await say(amina, 'Back in two');
  await others(bruno, 'Back in two');
}));

test('the page works from the file system', TIMEOUT, withCleanUp(async () => {
  const service = await startWebSocketService(await startChannelServer());
  const browser = await startBrowser();
  const context = await browser.newContext({viewport: {width: 1100, height: 760}, colorScheme: 'dark'});
  const file = pathToFileURL(harness.argument('sample')) +
      '?' + new URLSearchParams({url: `ws://127.0.0.1:${service.port}`});
  const amina = await openTab(context, file, 'Amina', '123');
  const bruno = await openTab(context, `http://127.0.0.1:${service.port}/`, 'Bruno', '123');
  await join(amina, '123');
  await join(bruno, '123');
  await say(amina, 'From a file');
  await others(bruno, 'From a file');
  await say(bruno, 'From a server');
  await others(amina, 'From a server');
  await amina.getByText('Try it from the console').click();
  await screenshot(amina, '6-from-a-file');
}));
