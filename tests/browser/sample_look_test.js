'use strict';

// How the sample page looks and can be used: on wide screens and phones, light and dark, with a keyboard and a screen
// reader, and under a strict Content-Security-Policy.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const net = require('node:net');
const test = require('node:test');
const {requireInstalled, screenshot, startChannelServer, until, withCleanUp} = require('./harness.js');
const {PHONE, WIDE, bubble, button, comeBack, join, openMember, openTab, others, own, pending, say, start, state} =
    require('./sample.js');

const TIMEOUT = {timeout: 180000};
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

async function assertAccessible(page, place) {
  requireInstalled('axe-core');
  await page.evaluate(fs.readFileSync(require.resolve('axe-core'), 'utf8'));
  const {violations, incomplete} = await page.evaluate(() => window.axe.run());
  const told = (found) => found.map(
      ({id, help, nodes}) => [`${id}: ${help}`, ...nodes.map(({html}) => html)].join('\n  '));
  assert.deepEqual(told(violations), [], place);
  assert.deepEqual(told(incomplete.filter(({id}) => id !== 'color-contrast')), [], place);
}

async function assertNothingPushedOff(page) {
  const {width, height} = page.viewportSize();
  for (const place of ['#state', '#drop', '#leave', '#scroll', '#text', '#send']) {
    const box = await page.locator(place).boundingBox();
    assert.ok(box.x >= 0 && box.y >= 0 && box.x + box.width <= width && box.y + box.height <= height,
        `${place} is at ${JSON.stringify(box)} of ${width}x${height}`);
  }
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth &&
      document.documentElement.scrollHeight <= innerHeight), 'the page itself does not scroll');
}

for (const colorScheme of ['light', 'dark']) {
  for (const [viewport, width] of [[WIDE, 'wide'], [PHONE, 'phone']]) {
    test(`a lively conversation, ${width} and ${colorScheme}`, TIMEOUT, withCleanUp(async () => {
      const {channelServer, browser, url} = await start({serviceFlags: ['--max_message_bytes=300']});
      const group = 'قهوة ☕ coffee';
      const name = `${width}-${colorScheme}`;
      const amina = await openTab(browser, url, {name: 'Amina', group, viewport, colorScheme});
      await state(amina, 'open');
      await assertAccessible(amina, 'start');
      await screenshot(amina, `${name}-1-start`);
      await join(amina);
      await amina.getByText(/It is quiet here/).waitFor();
      await assertAccessible(amina, 'empty');
      await screenshot(amina, `${name}-2-empty`);

      const bruno = await openMember(browser, url, {name: 'Bruno', group});
      const dalia = await openMember(browser, url, {name: 'داليا', group});
      await say(bruno, 'Who is in for coffee? https://example.org/menu');
      await others(amina, 'Who is in for coffee? https://example.org/menu');
      await say(amina, 'Me.');
      await own(amina, 'Me.');
      await say(dalia, 'وأنا أيضًا، بعد عشر دقائق');
      await others(amina, 'وأنا أيضًا، بعد عشر دقائق');
      await amina.locator('#counter').click();
      await until('numbers', async () => await amina.locator('.cell.live').count() >= 2);

      await button(amina, 'Go offline for 10 s').click();
      await state(amina, 'offline');
      await say(amina, 'Written offline');
      await pending(amina, 'Written offline');
      await until('missing numbers', async () => await amina.locator('.cell.waiting').count() >= 2);
      await assertAccessible(amina, 'offline');
      await screenshot(amina, `${name}-3-offline`);
      await say(bruno, 'The table by the window is free.');
      await own(bruno, 'The table by the window is free.');
      await comeBack(amina);
      await bubble(amina, '.recovered', 'The table by the window is free.').waitFor();
      await own(amina, 'Written offline');
      // A gap: without a data directory, a restarted channel server has another history.
      const {port} = channelServer;
      await channelServer.stop();
      await startChannelServer([`--port=${port}`]);
      await amina.locator('.note.gap').waitFor();
      await say(dalia, 'أنا في الطريق');
      await others(amina, 'أنا في الطريق');
      await say(amina, 'This is longer than this server allows. '.repeat(6).trim());
      await button(amina, 'Retry').waitFor();
      await until('the tally', async () => await amina.locator('.cell.waiting').count() === 0);
      await assertAccessible(amina, 'after a gap, a recovery and a failure');
      await screenshot(amina, `${name}-4-failed`);
      await button(amina, 'Discard').click();
      await screenshot(amina, `${name}-5-back`);
      await assertNothingPushedOff(amina);
      await amina.locator('#members summary').click();
      await assertAccessible(amina, 'members');
      await screenshot(amina, `${name}-6-members`);
    }));
  }
}

test('an open keyboard on a phone pushes nothing off', TIMEOUT, withCleanUp(async () => {
  const {browser, url} = await start();
  const group = 'a group with quite a long name';
  const amina = await openMember(browser, url, {name: 'Amina', group, viewport: PHONE});
  await amina.locator('#empty-action').click();
  await until('numbers', async () => await amina.locator('.cell.live').count() >= 1);
  await assertNothingPushedOff(amina);
  assert.ok((await amina.locator('#bar').boundingBox()).height < 56, 'the form is one line');
  await amina.setViewportSize({width: 390, height: 400});
  await assertNothingPushedOff(amina);
  assert.ok((await amina.locator('#scroll').boundingBox()).height > 100, 'there is room to read');
  await say(amina, 'The newest');
  await own(amina, 'The newest');
  const newest = await bubble(amina, '', 'The newest').boundingBox();
  const scroll = await amina.locator('#scroll').boundingBox();
  assert.ok(newest.y + newest.height <= scroll.y + scroll.height, 'the newest message is in sight');
  await screenshot(amina, 'keyboard');
}));

test('right-to-left text stands right', TIMEOUT, withCleanUp(async () => {
  const {browser, url} = await start();
  const amina = await openMember(browser, url, {name: 'Amina', group: 'g'});
  const direction = (text) => bubble(amina, '', text).evaluate((item) => getComputedStyle(item).direction);
  await say(amina, 'هذه هي الرسالة, in Arabic');
  await own(amina, 'هذه هي الرسالة, in Arabic');
  await say(amina, 'This is the message, بالإنجليزية');
  await own(amina, 'This is the message, بالإنجليزية');
  assert.equal(await direction('هذه هي الرسالة, in Arabic'), 'rtl');
  assert.equal(await direction('This is the message, بالإنجليزية'), 'ltr');
  // A name does not turn the page's own words round: this one begins at the left of its line.
  await openMember(browser, url, {name: 'داليا', group: 'g'});
  const note = amina.locator('.note span').filter({hasText: 'joined.'});
  await note.waitFor();
  assert.equal(await note.evaluate((item) => getComputedStyle(item).direction), 'ltr');
}));

test('the keyboard alone is enough, and what comes is read aloud', TIMEOUT, withCleanUp(async () => {
  const {browser, url} = await start();
  const bruno = await openMember(browser, url, {name: 'Bruno', group: 'g'});
  await say(bruno, 'From before');
  await own(bruno, 'From before');
  const amina = await openTab(browser, url, {name: 'Amina', group: 'g'});
  await amina.getByLabel('Group', {exact: true}).focus();
  await amina.keyboard.press('Tab');
  await amina.keyboard.press('Enter');  // Join
  await amina.getByText('2 here').waitFor();
  await amina.keyboard.type('Typed');  // the focus has followed
  await amina.keyboard.press('Enter');
  await own(amina, 'Typed');
  await others(amina, 'From before');
  const announced = amina.locator('#announcer');
  assert.equal(await announced.textContent(), '', 'messages from before the join are not announced');
  await say(bruno, 'Live');
  await announced.getByText('Bruno: Live').waitFor();

  await button(amina, 'Go offline for 10 s').focus();
  await amina.keyboard.press('Enter');
  await state(amina, 'offline');
  await say(bruno, 'Missed 1');
  await say(bruno, 'Missed 2');
  await own(bruno, 'Missed 2');
  assert.equal(await button(amina, 'Come back now').evaluate((item) => item === document.activeElement), true);
  await amina.keyboard.press('Enter');
  await announced.getByText('Connection was lost and is back. Recovered: 2 messages').waitFor();
}));

test('the inspector shows frames, places and latencies', TIMEOUT, withCleanUp(async () => {
  const {browser, url} = await start();
  const amina = await openMember(browser, url, {name: 'Amina', group: 'g'});
  await say(amina, 'Look');
  await own(amina, 'Look');
  const frame = (kind, name) => amina.locator(`.frame.${kind} .name`).getByText(name, {exact: true});
  await frame('in', 'welcome').waitFor();
  await frame('out', 'add_group').waitFor();
  const row = amina.locator('.frame.in').filter({hasText: '"Look"'});
  await row.waitFor();
  const [, previous, offset] = (await row.locator('.place').textContent()).match(/^(\d+) → (\d+)$/);
  assert.deepEqual(await amina.locator('#previous, #offset').allTextContents(), [previous, offset]);
  assert.match(await amina.locator('#epoch').textContent(), /^[0-9a-f]{8}$/);
  await amina.locator('#chain').getByText(/^unbroken: \d+ messages$/).waitFor();
  assert.equal(await amina.locator('#latency circle.live').count(), 1);
  await amina.getByText(/^median [\d.]+ m?s$/).waitFor();
  await button(amina, 'Drop my connection').click();
  await amina.locator('.frame.connection-lost').waitFor();
  await amina.locator('.frame.out .place').getByText(`since ${offset}`).waitFor();
  // On a narrow screen there is no room for it.
  await amina.setViewportSize(PHONE);
  assert.equal(await amina.locator('.inspector').isVisible(), false);
}));

// A way to the service on which each page gets the policy. Chromium would take a page that the test itself hands out
// for one of a public site, which may not connect to this machine.
async function startPolicyProxy(port) {
  const sockets = new Set();
  const server = net.createServer((client) => {
    const service = net.connect(port, '127.0.0.1');
    client.pipe(service);
    service.once('data', (head) => {
      client.write(head.toString('latin1').replace(/\r\n/, `\r\nContent-Security-Policy: ${POLICY}\r\n`), 'latin1');
      service.pipe(client);
    });
    for (const socket of [client, service]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => [client, service].forEach((either) => either.destroy()));
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    stop: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

test('the page works under a strict Content-Security-Policy, and asks no other server', TIMEOUT,
    withCleanUp(async () => {
      const {service, browser} = await start();
      const proxy = await startPolicyProxy(service.port);
      try {
        const amina = await (await browser.newContext()).newPage();
        const asked = new Set();
        const refused = [];
        amina.on('request', (request) => asked.add(new URL(request.url()).host));
        amina.on('websocket', (socket) => asked.add(new URL(socket.url()).host));
        amina.on('console', (message) => message.type() === 'error' && refused.push(message.text()));
        const response = await amina.goto(proxy.url + '?group=g');
        assert.equal(response.headers()['content-security-policy'], POLICY);
        await join(amina);
        await say(amina, 'Under the policy');
        await own(amina, 'Under the policy');
        await amina.locator('#counter').click();
        await until('a number', async () => await amina.locator('.cell.live').count() >= 1);
        assert.deepEqual([...asked].filter(Boolean), [new URL(proxy.url).host]);  // data: has no host
        assert.deepEqual(refused, []);
      } finally {
        proxy.stop();
      }
    }));
