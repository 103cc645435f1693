'use strict';

// The sample page while something is broken: what was missed comes back marked, what cannot come back is told, and no
// send vanishes.

const assert = require('node:assert/strict');
const test = require('node:test');
const {startChannelServer, until, withCleanUp} = require('./harness.js');
const {PHONE, bubble, bubbles, button, comeBack, openMember, others, own, pending, say, sendMany, start, state} =
    require('./sample.js');

const TIMEOUT = {timeout: 180000};

// Counts the WebSockets that the page makes from now on, and those that are open.
async function watchSockets(page) {
  await page.evaluate(() => {
    const Real = WebSocket;
    window.sockets = [];
    window.WebSocket = class extends Real {
      constructor(...values) {
        super(...values);
        window.sockets.push(this);
      }
    };
  });
}

const recovery = (page) => page.locator('.note.recovery');

test('offline for 10 s: nothing is made, and what was missed comes back marked', TIMEOUT, withCleanUp(async () => {
  const {service, browser, url} = await start();
  const amina = await openMember(browser, url, {name: 'Amina', group: 'g'});
  const bruno = await openMember(browser, url, {name: 'Bruno', group: 'g'});
  await say(bruno, 'Before');
  await others(amina, 'Before');
  await watchSockets(amina);
  const since = await amina.evaluate(() => performance.now());
  await button(amina, 'Go offline for 10 s').click();
  await state(amina, 'offline');
  assert.match(await amina.locator('#state').innerText(), /^Offline\s+\d+ s$/);
  await amina.locator('.note.away').waitFor();
  await amina.evaluate(() => window.dispatchEvent(new Event('online')));  // the SDK looks for a network, and finds none
  await say(bruno, 'Missed 1');
  await say(bruno, 'Missed 2');
  await own(bruno, 'Missed 2');
  await say(amina, 'Written offline');
  await pending(amina, 'Written offline');
  await amina.getByText('Waiting for the connection').waitFor();
  assert.deepEqual(await bubbles(amina), ['Before', 'Written offline']);

  await state(amina, 'open');
  const sockets = await amina.evaluate(() => window.sockets.length);
  assert.equal(sockets, 1, 'no WebSocket was made while the page was offline');
  assert.ok(await amina.evaluate(() => performance.now()) - since >= 10000);
  await own(amina, 'Written offline');
  await others(bruno, 'Written offline');
  assert.deepEqual((await bubbles(amina)).slice(0, 3), ['Before', 'Missed 1', 'Missed 2']);
  assert.deepEqual(await bubbles(amina), await bubbles(bruno));
  assert.deepEqual(await amina.locator('.message.recovered .bubble').allTextContents(), ['Missed 1', 'Missed 2']);
  await recovery(amina).getByText('Recovered: 2 messages').waitFor();
  assert.equal(await amina.locator('.note.away').count(), 0);
  // The break stands where the connection broke.
  assert.deepEqual(await amina.locator('.log > .message, .log > .recovery').evaluateAll((items) => items.map(
      (item) => item.classList.contains('recovery') ? '--' : item.querySelector('.bubble').textContent)),
  ['Before', '--', 'Missed 1', 'Missed 2', 'Written offline']);
  await say(bruno, 'Live again');
  await others(amina, 'Live again');
  assert.equal(await bubble(amina, '.recovered', 'Live again').count(), 0);
  assert.equal(await recovery(bruno).count(), 0);
  assert.equal(service.workers().length, 4);
}));

test('to come back earlier, and to drop the connection', TIMEOUT, withCleanUp(async () => {
  const {browser, url} = await start();
  const amina = await openMember(browser, url, {name: 'Amina', group: 'g', viewport: PHONE});
  const bruno = await openMember(browser, url, {name: 'Bruno', group: 'g'});
  await button(amina, 'Go offline for 10 s').click();
  await state(amina, 'offline');
  await say(bruno, 'Missed');
  await own(bruno, 'Missed');
  await button(amina, 'Come back now').click();
  await state(amina, 'open');
  await bubble(amina, '.recovered', 'Missed').waitFor();

  // Dropped: the SDK comes back by itself, over another connection.
  await watchSockets(amina);
  await button(amina, 'Drop my connection').click();
  await until('the break is told', async () => await recovery(amina).count() === 2);
  await state(amina, 'open');
  assert.equal(await amina.evaluate(() => window.sockets.length), 1);
  await say(amina, 'Here again');
  await others(bruno, 'Here again');
}));

test('the counter goes on while one is away, and the tally is right', TIMEOUT, withCleanUp(async () => {
  const {browser, url} = await start();
  const amina = await openMember(browser, url, {name: 'Amina', group: 'g'});
  // The empty page has one clear action.
  await amina.getByText('You are in g. It is quiet here.').waitFor();
  await amina.locator('#empty-action').click();
  const cells = (fate) => amina.locator(`.cell.${fate}`).count();
  await until('two numbers are here', async () => await cells('live') >= 2);
  await amina.getByText('2 here').waitFor();
  await button(amina, 'Go offline for 10 s').click();
  await until('numbers are missing', async () => await cells('waiting') >= 2);
  assert.match(await amina.locator('#counts').textContent(), /received \d+ · missing \d+ · lost 0 · twice 0$/);
  await comeBack(amina);
  await until('they are here', async () => await cells('recovered') >= 2 && await cells('waiting') === 0);
  const live = await cells('live');
  await until('it goes on', async () => await cells('live') > live);
  await button(amina, 'Stop the counter').click();
  await amina.getByText('Everything is here: nothing lost, nothing twice.').waitFor();
  const counts = await amina.locator('#counts').textContent();
  const [, sent, received] = counts.match(/^Sent (\d+) · received (\d+) · lost 0 · twice 0$/) || assert.fail(counts);
  assert.equal(sent, received);
  assert.deepEqual(await bubbles(amina), Array.from({length: Number(sent)}, (_, index) => String(index + 1)));
  // Stopped, its connection is gone.
  await amina.getByText('1 here').waitFor();
}));

test('what the server no longer has is told as a gap', TIMEOUT, withCleanUp(async () => {
  const {channelServer, service, browser, url} =
      await start({channelFlags: ['--history_messages=2', '--repair_retention=1s']});
  const amina = await openMember(browser, url, {name: 'Amina', group: 'g'});
  const bruno = await openMember(browser, url, {name: 'Bruno', group: 'g'});
  await say(bruno, 'Before');
  await others(amina, 'Before');
  await button(amina, 'Go offline for 10 s').click();
  await state(amina, 'offline');
  await sendMany(service, 'g', Array.from({length: 70}, (_, index) => `Lost ${index}`));
  await amina.locator('.note.gap')
      .getByText(/^Gap: the server no longer has the messages after offset \d+, up to \d+\.$/).waitFor();
  assert.equal(await amina.locator('#chain').textContent().then((text) => /^1 gap was told/.test(text)), true);
  await say(bruno, 'After');
  await others(amina, 'After');
  assert.deepEqual(await bubbles(amina), ['Before', 'After']);
  assert.equal(await amina.locator('.recovered').count(), 0);

  // Without a data directory, a restarted channel server has another history.
  const port = channelServer.port;
  await channelServer.stop();
  await startChannelServer([`--port=${port}`]);
  await amina.locator('.note.gap').getByText(/begun a new history/).waitFor();
  await say(bruno, 'In the new history');
  await others(amina, 'In the new history');
}));

test('a send is pending while the channel server is away, and then sent', TIMEOUT, withCleanUp(async () => {
  const {channelServer, browser, url} = await start();
  const amina = await openMember(browser, url, {name: 'Amina', group: 'g'});
  await say(amina, 'Before');
  await own(amina, 'Before');
  const port = channelServer.port;
  await channelServer.stop();
  await say(amina, 'Into the void');
  await pending(amina, 'Into the void');
  assert.equal(await amina.locator('#state').innerText(), 'Connected');
  await startChannelServer([`--port=${port}`]);
  await own(amina, 'Into the void');
  assert.equal(await bubble(amina, '', 'Into the void').count(), 1);
  assert.deepEqual(await bubbles(amina), ['Before', 'Into the void']);
}));

test('a send that fails says so, and can be tried again or discarded', TIMEOUT, withCleanUp(async () => {
  const {channelServer, browser, url} = await start({serviceFlags: ['--max_message_bytes=300']});
  const amina = await openMember(browser, url, {name: 'Amina', group: 'g'});
  const long = 'too long '.repeat(50).trim();
  await say(amina, long);
  await bubble(amina, '.own.failed', long).waitFor();
  await amina.getByText(/^Not sent: /).waitFor();
  await button(amina, 'Retry').click();
  await bubble(amina, '.own.failed', long).waitFor();  // for the same reason
  await button(amina, 'Discard').click();
  assert.deepEqual(await bubbles(amina), []);

  // The channel server is away for longer than the SDK tries (75 s). The page's clock goes on faster.
  const port = channelServer.port;
  await amina.clock.install();
  await channelServer.stop();
  await say(amina, 'Nobody takes it');
  await pending(amina, 'Nobody takes it');
  await until('the SDK gives up', async () => {
    await amina.clock.runFor(5000);
    return await amina.locator('.message.own').filter({has: button(amina, 'Retry')}).count() === 1;
  });
  await startChannelServer([`--port=${port}`]);
  await amina.clock.resume();
  await button(amina, 'Retry').click();
  await own(amina, 'Nobody takes it');
  assert.deepEqual(await bubbles(amina), ['Nobody takes it']);
}));
