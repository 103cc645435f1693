'use strict';

// The sample page as a tab: what a reload keeps, what two tabs do not share, the address, the title, days and links.

const assert = require('node:assert/strict');
const test = require('node:test');
const {withCleanUp} = require('./harness.js');
const {bubbles, button, isJoined, join, openMember, openPage, openTab, others, own, pending, say, sendMany, start,
  state} = require('./sample.js');

const TIMEOUT = {timeout: 120000};

// The sessions of the WebSockets that a page opened, by their URLs.
function sessionsOf(page) {
  const sessions = [];
  page.on('websocket', (socket) => sessions.push(new URL(socket.url()).searchParams.get('session')));
  return sessions;
}

test('a reload keeps name, group, session, and own messages on their side', TIMEOUT, withCleanUp(async () => {
  const {service, browser, url} = await start();
  const amina = await openTab(browser, url, {name: 'x', group: 'x'});
  const sessions = sessionsOf(amina);
  await amina.reload();
  await amina.goto(url);  // without parameters: a person types
  await amina.getByLabel('Your name').fill('Amina');
  await amina.getByLabel('Group', {exact: true}).fill('قهوة / 1');
  await join(amina);
  assert.equal(new URL(amina.url()).searchParams.get('group'), 'قهوة / 1');
  const bruno = await openMember(browser, url, {name: 'Bruno', group: 'قهوة / 1'});
  await say(amina, 'Mine');
  await own(amina, 'Mine');
  await say(bruno, 'Not mine');
  await others(amina, 'Not mine');
  await amina.getByText('2 here').waitFor();

  await amina.reload();
  await isJoined(amina);
  await others(amina, 'Not mine');
  await own(amina, 'Mine');
  assert.deepEqual(await bubbles(amina), ['Mine', 'Not mine']);
  await say(amina, 'After the reload');
  await own(amina, 'After the reload');
  await others(bruno, 'After the reload');
  assert.equal(await bruno.locator('.message:not(.own) .who').last().textContent(), 'Amina');
  // Of each page that this tab has shown.
  assert.ok(sessions.length >= 3);
  assert.match(sessions[0], /./);
  assert.equal(new Set(sessions).size, 1);
  // The same member: nobody has come or gone.
  await amina.getByText('2 here').waitFor();
  await amina.locator('#members').click();
  await amina.locator('#members-list').getByText('Amina (you)').waitFor();

  // After Leave, a reload stays out.
  await button(amina, 'Leave').click();
  await amina.reload();
  await state(amina, 'open');
  assert.ok(await button(amina, 'Join').isVisible());
  assert.equal(await amina.getByLabel('Your name').inputValue(), 'Amina');

  // What was not sent before a reload is not lost: it says that its outcome is unknown.
  await join(amina);
  await service.stop();
  await state(amina, 'waiting');
  await say(amina, 'Not sent before the reload');
  await pending(amina, 'Not sent before the reload');
}));

test('a pending message is still there after a reload, and can be sent', TIMEOUT, withCleanUp(async () => {
  const {browser, url} = await start();
  const amina = await openMember(browser, url, {name: 'Amina', group: 'g'});
  const bruno = await openMember(browser, url, {name: 'Bruno', group: 'g'});
  await button(amina, 'Go offline for 10 s').click();
  await state(amina, 'offline');
  await say(amina, 'Written offline');
  await pending(amina, 'Written offline');
  await amina.reload();
  await isJoined(amina);
  await amina.getByText(/^Perhaps not sent: the page was reloaded/).waitFor();
  await button(amina, 'Retry').click();
  await own(amina, 'Written offline');
  await others(bruno, 'Written offline');
  assert.deepEqual(await bubbles(amina), ['Written offline']);
  assert.deepEqual(await bubbles(bruno), ['Written offline']);
}));

test('a message that was sent before a reload is not sent again', TIMEOUT, withCleanUp(async () => {
  const {service, browser, url} = await start();
  const amina = await openMember(browser, url, {name: 'Amina', group: 'g'});
  const bruno = await openMember(browser, url, {name: 'Bruno', group: 'g'});
  await button(amina, 'Go offline for 10 s').click();
  await state(amina, 'offline');
  await say(amina, 'Sent');
  await pending(amina, 'Sent');
  // The server has it, although the page does not know, and so many later ones that a join does not replay it.
  const {outbox: [sent]} = await amina.evaluate(() => {
    dispatchEvent(new PageTransitionEvent('pagehide'));
    return JSON.parse(sessionStorage.getItem('groupcast.sample'));
  });
  await sendMany(service, 'g', [sent, ...Array.from({length: 60}, (_, index) => `later ${index}`)]);
  await amina.reload();
  await others(amina, 'later 59');
  await amina.getByText(/^Perhaps not sent/).waitFor();
  await button(amina, 'Retry').click();
  await own(amina, 'Sent');
  await say(amina, 'The next one');
  await others(bruno, 'The next one');
  const all = await bubbles(bruno);
  assert.deepEqual([all[0], all.length], ['Sent', 62]);
  assert.equal(await bruno.locator('#offset').textContent(), await amina.locator('#offset').textContent());
  // A second copy would have an offset: after two members that told their names, and the 62 messages.
  assert.equal(await bruno.locator('#chain').textContent(), 'unbroken: 64 messages');
}));

test('two tabs never share a session, also if one is a copy of the other', TIMEOUT, withCleanUp(async () => {
  const {browser, url} = await start();
  const amina = await openTab(browser, url, {name: 'Amina', group: 'g'});
  const sessions = sessionsOf(amina);
  await amina.reload();
  await join(amina);
  // A page that a page opens begins with a copy of its sessionStorage, like a tab that is duplicated.
  const copied = amina.context().waitForEvent('page');
  await amina.evaluate(() => { window.open(location.href); });
  const copy = await copied;
  await copy.waitForLoadState();
  const copySessions = sessionsOf(copy);
  await copy.reload();  // so that the test sees its WebSocket
  await join(copy);
  await amina.getByText('2 here').waitFor();
  assert.deepEqual([new Set(sessions).size, new Set(copySessions).size], [1, 1]);
  assert.notEqual(copySessions[0], sessions[0]);
}));

test('an invite link brings a friend into the group', TIMEOUT, withCleanUp(async () => {
  const {service, browser, url} = await start();
  const amina = await openMember(browser, url, {name: 'Amina', group: 'one & two'});
  await amina.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await button(amina, 'Copy invite link').click();
  await button(amina, 'Copied').waitFor();
  const link = await amina.evaluate(() => navigator.clipboard.readText());
  assert.equal(new URL(link).port, String(service.port));
  const bruno = await openPage(await browser.newContext(), link);
  assert.equal(await bruno.getByLabel('Group', {exact: true}).inputValue(), 'one & two');
  await join(bruno);
  await say(bruno, 'I got your link');
  await others(amina, 'I got your link');
}));

test('the title counts what came while the page was hidden', TIMEOUT, withCleanUp(async () => {
  const {browser, url} = await start();
  const amina = await openMember(browser, url, {name: 'Amina', group: 'g'});
  const bruno = await openMember(browser, url, {name: 'Bruno', group: 'g'});
  assert.equal(await amina.title(), 'g · Groupcast');
  const show = (visibility) => amina.evaluate((value) => {
    Object.defineProperty(document, 'visibilityState', {value, configurable: true});
    document.dispatchEvent(new Event('visibilitychange'));
  }, visibility);
  await say(bruno, 'Seen');
  await others(amina, 'Seen');
  await show('hidden');
  await say(bruno, 'One');
  await say(bruno, 'Two');
  await amina.waitForFunction(() => document.title === '(2) g · Groupcast');
  await show('visible');
  assert.equal(await amina.title(), 'g · Groupcast');

  // Messages from before the join are not news.
  const chen = await openTab(browser, url, {name: 'Chen', group: 'g'});
  await chen.evaluate(() => Object.defineProperty(document, 'visibilityState', {value: 'hidden'}));
  await join(chen);
  await others(chen, 'Two');
  await say(bruno, 'Three');
  await chen.waitForFunction(() => document.title === '(1) g · Groupcast');
}));

test('each day has a line of its own', TIMEOUT, withCleanUp(async () => {
  const {browser, url} = await start();
  const amina = await openMember(browser, url, {name: 'Amina', group: 'g'});
  await say(amina, 'Today');
  await own(amina, 'Today');
  const days = (page) => page.locator('.note.day').allTextContents();
  assert.deepEqual(await days(amina), ['Today']);
  const tomorrow = await openTab(browser, url, {name: 'Bruno', group: 'g'});
  await tomorrow.clock.setSystemTime(Date.now() + 24 * 3600 * 1000);
  await join(tomorrow);
  await others(tomorrow, 'Today');
  assert.deepEqual(await days(tomorrow), ['Yesterday']);
  await button(tomorrow, 'Go offline for 10 s').click();
  await say(tomorrow, 'A day later');
  await pending(tomorrow, 'A day later');
  assert.deepEqual(await days(tomorrow), ['Yesterday', 'Today']);
}));

test('links are links, and nothing else is', TIMEOUT, withCleanUp(async () => {
  const {browser, url} = await start();
  const amina = await openMember(browser, url, {name: 'Amina', group: 'g'});
  const text = 'See https://example.org/a?b=1&c=2#d, (http://example.org), javascript:alert(1) and <a href=x>x</a>.';
  await say(amina, text);
  await own(amina, text);
  assert.deepEqual(await amina.locator('.bubble a').evaluateAll(
      (links) => links.map(({href, textContent, target, rel}) => [href, textContent, target, rel])), [
    ['https://example.org/a?b=1&c=2#d', 'https://example.org/a?b=1&c=2#d', '_blank', 'noopener noreferrer'],
    ['http://example.org/', 'http://example.org', '_blank', 'noopener noreferrer'],
  ]);
  assert.deepEqual(await bubbles(amina), [text]);
}));
