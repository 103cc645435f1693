'use strict';

// groupcast.js in Node, against the real services.

const assert = require('node:assert/strict');
const child_process = require('node:child_process');
const crypto = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const test = require('node:test');
const harness = require('./harness.js');
const {startChannelServer, startWebSocketService, until, withCleanUp} = harness;

const WebSocket = harness.requireInstalled('ws');
const groupcast = require(harness.argument('groupcast'));

const TIMEOUT = {timeout: 120000};

function connect(service, options) {
  const client = new groupcast.Client(`ws://127.0.0.1:${service.port}`, {WebSocket, ...options});
  client.states = [];
  client.on('state', ({state}) => client.states.push(state));
  return client;
}

test('everybody gets every message once, in one order, until they leave', TIMEOUT, withCleanUp(async () => {
  const service = await startWebSocketService(await startChannelServer());
  const clients = [connect(service), connect(service)];
  const [a, b] = clients;
  try {
    const logs = [[], []];
    const positions = await Promise.all(clients.map((client, i) => client.join(
        'orders', (message, info) => logs[i].push([info.offset, message]),
        {onGap: (gap) => assert.fail('a gap: ' + JSON.stringify(gap))})));
    const sends = [];
    for (let n = 0; n < 500; ++n) {
      sends.push(a.send('orders', {from: 'a', n}), b.send('orders', {from: 'b', n}));
    }
    const acknowledged = await Promise.all(sends);
    await until('both have 1,000 messages', () => logs.every((log) => log.length >= 1000));

    assert.deepEqual(logs[0], logs[1]);
    const offsets = logs[0].map(([offset]) => offset);
    assert.ok(offsets[0] > Math.max(positions[0].offset, positions[1].offset));
    assert.deepEqual(offsets, [...new Set(offsets)].sort((x, y) => x - y), 'in order, once');
    assert.deepEqual(offsets, acknowledged.map(({offset}) => offset).sort((x, y) => x - y),
        'the offsets are those of the acknowledgements');
    for (const from of ['a', 'b']) {
      const numbers = logs[0].filter(([, message]) => message.from === from).map(([, message]) => message.n);
      assert.deepEqual(numbers, Array.from({length: 500}, (_, n) => n), 'the sends of one client keep their order');
    }

    await b.leave('orders');
    await a.send('orders', 'b is gone');
    await until('a hears itself', () => logs[0].length === 1001);
    // What b hears of another group comes after anything that was under way to it.
    const other = [];
    await b.join('other', (message) => other.push(message));
    await a.send('other', 'x');
    await until('b hears of the other group', () => other.length === 1);
    assert.equal(logs[1].length, 1000);
  } finally {
    for (const client of clients) client.close();
  }
}));

test('errors of the server reject with their code', TIMEOUT, withCleanUp(async () => {
  const service = await startWebSocketService(await startChannelServer());
  const client = connect(service);
  const fails = (promise, code) => assert.rejects(promise, (error) => {
    assert.ok(error instanceof groupcast.GroupcastError, String(error));
    assert.deepEqual([error.code, error.retry], [code, false]);
    return true;
  });
  try {
    await fails(client.join('', () => {}), 'group_id_invalid');
    await fails(client.join('a\u0000', () => {}), 'group_id_invalid');
    await fails(client.send('x'.repeat(129), 'x'), 'group_id_invalid');
    await fails(client.send('a', 'x'.repeat(65537)), 'message_too_large');
    let deep = 'x';
    for (let i = 0; i < 63; ++i) deep = [deep];
    assert.ok((await client.send('a', deep)).offset > 0, 'the deepest that is let through is fine with the server');
    await Promise.all(Array.from({length: 128}, (_, i) => client.join('group ' + i, () => {})));
    await fails(client.join('one more', () => {}), 'too_many_groups');
    assert.equal(client.state, 'open');
  } finally {
    client.close();
  }
}));

test('a client reconnects, joins again, and sends what has waited', TIMEOUT, withCleanUp(async () => {
  const channelServer = await startChannelServer();
  const first = await startWebSocketService(channelServer);
  const client = connect(first);
  const log = [];
  try {
    await client.join(123, (message) => log.push(message));
    await client.send('123', 'before');
    await until('it is heard', () => log.length === 1);
    await first.stop();
    await until('the client waits', () => client.states.includes('waiting'));
    const waiting = client.send(123, 'waited');
    await startWebSocketService(channelServer, first.port);
    assert.ok((await waiting).offset > 0);
    await until('it is heard', () => log.length === 2);
    assert.deepEqual(log, ['before', 'waited']);
    assert.equal(client.state, 'open');
  } finally {
    client.close();
  }
}));

test('a network that swallows everything costs no message, and doubles none', TIMEOUT, withCleanUp(async () => {
  const service = await startWebSocketService(await startChannelServer());
  const proxy = await harness.Proxy.start(service.port);
  const cut = connect(proxy);
  const other = connect(service);
  const log = [];
  try {
    await cut.join('a', (message) => log.push(message), {onGap: (gap) => assert.fail('a gap: ' + JSON.stringify(gap))});
    proxy.swallow();
    const sends = [];
    for (let n = 0; n < 50; ++n) sends.push(cut.send('a', 'cut ' + n));
    for (let n = 0; n < 50; ++n) sends.push(other.send('a', 'other ' + n));
    await Promise.all(sends.slice(50));
    cut.reconnect();
    await Promise.all(sends);
    await until('all are heard', () => log.length >= 100);
    for (const from of ['cut', 'other']) {
      assert.deepEqual(log.filter((message) => message.startsWith(from)),
          Array.from({length: 50}, (_, n) => from + ' ' + n));
    }
    assert.equal(log.length, 100);
  } finally {
    cut.close();
    other.close();
  }
}));

test('the death of a worker costs no message, and doubles none', TIMEOUT, withCleanUp(async () => {
  const service = await startWebSocketService(await startChannelServer());
  const clients = Array.from({length: 4}, () => connect(service));
  const logs = clients.map(() => []);
  try {
    await Promise.all(clients.map((client, i) => client.join('a', (message) => logs[i].push(message),
        {onGap: (gap) => assert.fail('a gap: ' + JSON.stringify(gap))})));
    const sends = [];
    for (let n = 0; n < 400; ++n) {
      sends.push(clients[n % 4].send('a', n));
      if (n === 200) for (const pid of service.workers()) process.kill(pid, 'SIGKILL');
    }
    await Promise.all(sends);
    await until('all have all', () => logs.every((log) => log.length >= 400));
    for (const log of logs) assert.deepEqual(log, logs[0]);
    assert.equal(new Set(logs[0]).size, 400);
    assert.equal(logs[0].length, 400);
  } finally {
    for (const client of clients) client.close();
  }
}));

test('ten thousand messages while the line is cut come, or are told as lost', TIMEOUT, withCleanUp(async () => {
  const service = await startWebSocketService(await startChannelServer());
  const proxy = await harness.Proxy.start(service.port);
  const cut = connect(proxy);
  const other = connect(service);
  const seen = new Set();
  const gaps = [];
  let last = 0;
  try {
    await cut.join('a', (message, {offset}) => {
      assert.ok(offset > last, `${offset} came after ${last}`);
      last = offset;
      seen.add(offset);
    }, {onGap: (gap) => {
      gaps.push(gap);
      last = gap.to;
    }});
    proxy.swallow();
    const offsets = [];
    for (let hundred = 0; hundred < 100; ++hundred) {
      const sends = Array.from({length: 100}, (_, n) => other.send('a', 100 * hundred + n));
      offsets.push(...(await Promise.all(sends)).map(({offset}) => offset));
    }
    cut.reconnect();
    const end = (await cut.send('a', 'the end')).offset;
    await until('the end is heard', () => last === end);
    const isTold = (offset) => gaps.some(({from, to}) => offset > from && offset <= to);
    assert.deepEqual(offsets.filter((offset) => seen.has(offset) === isTold(offset)), []);
    assert.ok(seen.size >= 100, 'at least the newest messages came');
  } finally {
    cut.close();
    other.close();
  }
}));

test('a token that expires is replaced, and no membership ends', TIMEOUT, withCleanUp(async () => {
  const key = 'a secret of at least thirty-two bytes';
  const keyFile = path.join(harness.temporaryFolder(), 'token.key');
  fs.writeFileSync(keyFile, key, {mode: 0o600});
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  let tokens = 0;
  const token = () => {
    ++tokens;
    // The first ones expire within two seconds.
    const exp = Math.floor(Date.now() / 1000) + (tokens < 3 ? 2 : 3600);
    const text = encode({alg: 'HS256', typ: 'JWT'}) + '.' + encode({sub: 'alice', exp, groups: ['a']});
    return text + '.' + crypto.createHmac('sha256', key).update(text).digest('base64url');
  };
  const service = await startWebSocketService(await startChannelServer(), 0, undefined,
      [`--token_keys=${keyFile}`, '--token_leeway=0s']);
  const client = connect(service, {token});
  const log = [];
  try {
    await client.join('a', (message) => log.push(message));
    await assert.rejects(client.send('b', 'not mine'), {code: 'forbidden'});
    await until('two tokens have expired', () => tokens === 3);
    await client.send('a', 'still here');
    await until('it is heard', () => log.length === 1);
    assert.deepEqual(client.states, ['open']);
  } finally {
    client.close();
  }
}));

test('a token that is not valid is refused, and told once', TIMEOUT, withCleanUp(async () => {
  const keyFile = path.join(harness.temporaryFolder(), 'token.key');
  fs.writeFileSync(keyFile, 'a secret of at least thirty-two bytes', {mode: 0o600});
  const service = await startWebSocketService(await startChannelServer(), 0, undefined, [`--token_keys=${keyFile}`]);
  let tokens = 0;
  const client = connect(service, {token: () => 'not.a.token' + ++tokens});
  const errors = [];
  client.on('error', (error) => errors.push(error.code));
  await assert.rejects(client.join('a', () => {}), {code: 'refused'});
  assert.deepEqual([client.state, errors, tokens], ['closed', ['refused'], 2]);
}));

test('a handshake that the service refuses is told once, with its reason', TIMEOUT, withCleanUp(async () => {
  const service = await startWebSocketService(await startChannelServer());
  class FromElsewhere extends WebSocket {
    constructor(url, protocols) {
      super(url, protocols, {origin: 'http://elsewhere.example'});
    }
  }
  const client = connect(service, {WebSocket: FromElsewhere});
  const errors = [];
  client.on('error', (error) => errors.push(error));
  await assert.rejects(client.join('a', () => {}), {code: 'refused', retry: false});
  assert.equal(client.state, 'closed');
  assert.equal(errors.length, 1);
  assert.match(errors[0].message, /403 .*elsewhere\.example/);
}));

test('a program ends after close(), also if the server does not answer', TIMEOUT, withCleanUp(async () => {
  // Takes handshakes, and never reads or writes again.
  const server = http.createServer();
  const sockets = [];
  server.on('upgrade', (request, socket) => {
    const accept = crypto.createHash('sha1')
        .update(request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        `Sec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: groupcast.v1.json\r\n\r\n`);
    socket.pause();
    socket.on('error', () => {});
    sockets.push(socket);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const program = child_process.spawn(process.execPath, ['-e', `
    const {Client} = require(${JSON.stringify(harness.argument('groupcast'))});
    const WebSocket = require(${JSON.stringify(require.resolve('ws'))});
    class Noted extends WebSocket {
      constructor(url, protocols) {
        super(url, protocols);
        this.on('open', () => client.close());
      }
    }
    const client = new Client('ws://127.0.0.1:${server.address().port}', {WebSocket: Noted});`], {stdio: 'inherit'});
  let code = null;
  program.once('exit', (exitCode) => { code = exitCode; });
  try {
    // ws itself waits for 30 s, which is longer than until() does.
    await until('the program ends', () => code !== null);
    assert.equal(code, 0);
    assert.equal(sockets.length, 1);
  } finally {
    program.kill('SIGKILL');
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}));
