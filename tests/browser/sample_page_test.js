'use strict';

// The sample page as people use it to talk: several tabs, a service that goes away and comes back, and a file.

const assert = require('node:assert/strict');
const test = require('node:test');
const {pathToFileURL} = require('node:url');
const harness = require('./harness.js');
const {startWebSocketService, withCleanUp} = harness;
const {PHONE, bubbles, button, join, openMember, openTab, others, own, pending, say, start, state} =
    require('./sample.js');

const TIMEOUT = {timeout: 120000};

test('two tabs talk, and go on talking after the service was away', TIMEOUT, withCleanUp(async () => {
  const world = await start();
  const {channelServer, browser, url} = world;
  let {service} = world;
  const amina = await openTab(browser, url, {name: 'Amina', group: 'قهوة'});
  await state(amina, 'open');
  assert.equal(await amina.locator('#state').innerText(), 'Connected');
  await join(amina);
  const bruno = await openMember(browser, url, {name: 'Bruno', group: 'قهوة'});

  await amina.getByLabel('Message', {exact: true}).fill('Hello! Is anybody here?');
  await button(amina, 'Send').click();
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

  // The service stops and comes back on its port.
  const port = service.port;
  await service.stop();
  await state(amina, 'waiting');
  await state(bruno, 'waiting');
  assert.match(await amina.locator('#state').innerText(), /^Reconnecting…/);
  await say(amina, 'Said while the service was away');
  await pending(amina, 'Said while the service was away');
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

test('to leave a group, and to join another one', TIMEOUT, withCleanUp(async () => {
  const {browser, url} = await start();
  const amina = await openMember(browser, url, {name: 'Amina', group: 'one', viewport: PHONE});
  const bruno = await openMember(browser, url, {name: 'Bruno', group: 'two', viewport: PHONE});
  await say(amina, 'In one');
  await own(amina, 'In one');
  await say(bruno, 'Before Amina came');
  await own(bruno, 'Before Amina came');

  await button(amina, 'Leave').click();
  await amina.getByLabel('Group', {exact: true}).fill('two');
  await join(amina);
  await others(amina, 'Before Amina came');  // history on join
  await say(bruno, 'In two');
  await others(amina, 'In two');
  await say(amina, 'Here I am');
  await others(bruno, 'Here I am');
  assert.deepEqual(await bubbles(amina), ['Before Amina came', 'In two', 'Here I am']);
  assert.deepEqual(await bubbles(bruno), await bubbles(amina));

  await button(amina, 'Leave').click();
  await amina.getByLabel('Group', {exact: true}).fill('x'.repeat(70) + 'ه'.repeat(50));
  await button(amina, 'Join').click();
  await amina.getByText(/^Could not join .*128 bytes/).waitFor();
}));

test('members come and go', TIMEOUT, withCleanUp(async () => {
  const {browser, url} = await start();
  const amina = await openMember(browser, url, {name: 'Amina', group: 'm'});
  const bruno = await openMember(browser, url, {name: 'Bruno', group: 'm'});
  await amina.getByText('2 here').click();
  const names = (page) => page.locator('#members-list li').allTextContents();
  await amina.locator('#members-list').getByText('Bruno').waitFor();
  assert.deepEqual((await names(amina)).sort(), ['Amina (you)', 'Bruno']);
  await bruno.getByText('2 here').click();
  await bruno.locator('#members-list').getByText('Amina').waitFor();
  assert.deepEqual((await names(bruno)).sort(), ['Amina', 'Bruno (you)']);
  await button(bruno, 'Leave').click();
  await amina.getByText('1 here').waitFor();
  assert.deepEqual(await names(amina), ['Amina (you)']);
}));

test('the first load says that it connects, and an address without a server that it goes on', TIMEOUT,
    withCleanUp(async () => {
      const {service, browser, url} = await start();
      await service.stop();
      const query = new URLSearchParams({url: url.replace('http', 'ws')});
      const file = pathToFileURL(harness.argument('sample')) + '?' + query;
      const page = await openTab(browser, file, {name: 'Amina', group: '123'});
      await state(page, 'waiting');
      assert.match(await page.locator('#state').innerText(), /^Connecting…/);
      // One may join and write all the same.
      await button(page, 'Join').click();
      await page.getByText('Joining 123…').waitFor();
    }));

test('the page works from the file system', TIMEOUT, withCleanUp(async () => {
  const {service, browser, url} = await start();
  const file = pathToFileURL(harness.argument('sample')) +
      '?' + new URLSearchParams({url: `ws://127.0.0.1:${service.port}`});
  const amina = await openMember(browser, file, {name: 'Amina', group: '123'});
  const bruno = await openMember(browser, url, {name: 'Bruno', group: '123'});
  await say(amina, 'From a file');
  await others(bruno, 'From a file');
  await say(bruno, 'From a server');
  await others(amina, 'From a server');
  await button(amina, 'Drop my connection').click();
  await amina.locator('.note.recovery').waitFor();
  await amina.getByText('three lines in the console').click();
  await amina.getByText('const ws = new WebSocket').waitFor();

  // The reload finds the same tab again, also without a server.
  await amina.reload();
  await own(amina, 'From a file');
  await others(amina, 'From a server');
}));
