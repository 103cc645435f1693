'use strict';

// The smallest client, as docs/protocol.md has it: pasted into the console of the page that the service serves.

const assert = require('node:assert/strict');
const test = require('node:test');
const {startBrowser, startChannelServer, startWebSocketService, until, withCleanUp} = require('./harness.js');

const THREE_LINES = `
const ws = new WebSocket('ws://127.0.0.1:1234');
ws.onopen = () => { ws.send('{"cmd":"add_group","group_id":"123"}'); ws.send('{"cmd":"send_to_group","group_id":"123","message":"هذه هي الرسالة"}'); };
ws.onmessage = e => console.log(e.data);
`.trim();

test('the three lines log the message, and nothing else', {timeout: 120000}, withCleanUp(async () => {
  const channelServer = await startChannelServer();
  const service = await startWebSocketService(channelServer);
  const lines = THREE_LINES.replace(':1234', ':' + service.port);

  const browser = await startBrowser();
  const page = await browser.newPage();
  const logged = [];
  page.on('console', (entry) => logged.push(entry.text()));
  await page.goto(`http://127.0.0.1:${service.port}/`);
  assert.equal(await page.locator('#snippet').textContent(), lines, 'the page shows the same lines');

  // What the console itself does with a line: names stay for the next one.
  const devtools = await page.context().newCDPSession(page);
  const paste = async (expression) => {
    const {exceptionDetails} = await devtools.send('Runtime.evaluate', {expression, replMode: true});
    assert.equal(exceptionDetails, undefined);
  };
  await paste(lines);
  await until('the message is logged', () => logged.length > 0);
  assert.deepEqual(logged, ['هذه هي الرسالة']);

  // The answer to a ping comes after whatever else the service had to say.
  await paste(`ws.send('{"cmd":"ping","id":1}')`);
  await until('the ping is answered', () => logged.length > 1);
  assert.deepEqual(logged, ['هذه هي الرسالة', '{"event":"reply","id":1,"pong":true}']);
}));
