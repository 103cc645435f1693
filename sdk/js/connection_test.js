'use strict';

// groupcast.js: the connection, from its first attempt to close().

const assert = require('node:assert/strict');
const test = require('node:test');
const {FakeWebSocket, groupcast, isError, joined, make, makeOpen} = require('./fakes.js');

test('asks for the subprotocol and is open with the welcome', () => {
  const world = make();
  assert.deepEqual(world.socket().protocols, ['groupcast.v1.json']);
  assert.equal(world.client.state, 'connecting');
  world.socket().welcome();
  assert.equal(world.client.state, 'open');
  assert.deepEqual(world.states, [{state: 'open'}]);
});

test('the session is in the url, random, and stays over reconnects', () => {
  const world = make();
  const session = world.client.session;
  assert.match(session, /^[0-9a-f]{32}$/);
  for (let i = 0; i < 3; ++i) {
    assert.equal(world.socket().url, 'ws://here?session=' + session);
    world.socket().breakDown(1006);
    world.timers.advance(10000);
  }
  assert.equal(world.sockets.length, 4);
  assert.equal(world.client.url, 'ws://here', 'as it was given');
  assert.notEqual(make().client.session, session);
});

test('the application may choose the session; what else is in the url stays', () => {
  const url = (given, session) => {
    FakeWebSocket.all = [];
    new groupcast.Client(given, {WebSocket: FakeWebSocket, session}).close();
    return FakeWebSocket.all[0].url;
  };
  assert.equal(url('wss://here/path', 'A-z_09'), 'wss://here/path?session=A-z_09');
  assert.equal(url('ws://here/?token=t', 's'), 'ws://here/?token=t&session=s');
  assert.equal(url('ws://here/#top', 's'), 'ws://here/?session=s');
  assert.equal(make({session: 's'.repeat(64)}).client.session.length, 64);
  for (const session of ['', 's'.repeat(65), 'a b', 'ü', 'a&b=c', 7, null]) {
    assert.throws(() => make({session}), TypeError, String(session));
  }
});

test('without a WebSocket the constructor says what is missing', () => {
  const own = globalThis.WebSocket;
  globalThis.WebSocket = undefined;
  try {
    assert.throws(() => new groupcast.Client('ws://here'), isError('no_websocket', false));
  } finally {
    globalThis.WebSocket = own;
  }
});

test('an error that names no command is told as an event', () => {
  const world = makeOpen();
  world.socket().hear({event: 'error', code: 'internal', message: 'because', retry: true});
  assert.equal(world.errors.length, 1);
  isError('internal', true)(world.errors[0]);
});

test('backoff: full jitter below a ceiling that doubles up to the cap', () => {
  for (const random of [0, 0.25, 0.999]) {
    const world = make({random: () => random});
    const delays = [];
    for (let i = 0; i < 10; ++i) {
      world.socket().breakDown(1006);
      const {state, retryInMs} = world.states[world.states.length - 1];
      assert.equal(state, 'waiting');
      delays.push(retryInMs);
      assert.equal(world.sockets.length, i + 1);
      world.timers.advance(retryInMs);
      assert.equal(world.sockets.length, i + 2, 'the attempt comes when it was said to');
      assert.equal(world.client.state, 'connecting');
    }
    const ceilings = [100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000, 10000];
    assert.deepEqual(delays, ceilings.map((ceiling) => random * ceiling));
  }
});

test('only a connection that lasted starts the backoff anew', () => {
  const world = make({random: () => 0.5});
  const delay = () => world.states[world.states.length - 1].retryInMs;
  for (const expected of [50, 100, 200]) {
    world.socket().welcome();
    world.socket().breakDown(1006);
    assert.equal(delay(), expected);
    world.timers.advance(expected);
  }
  world.socket().welcome();
  world.timers.advance(10000);
  world.socket().breakDown(1006);
  assert.equal(delay(), 50);
});

test('clients that learn together that the network is back come back spread out', () => {
  for (const random of [0.001, 0.25, 0.999]) {
    const scope = new EventTarget();
    const world = make({random: () => random, scope, backoffBaseMs: 1e6, backoffCapMs: 1e7});
    world.socket().breakDown(1006);
    scope.dispatchEvent(new Event('online'));
    const {state, retryInMs} = world.states[world.states.length - 1];
    assert.deepEqual([state, retryInMs], ['waiting', random * 500]);
    world.timers.advance(retryInMs / 2);
    scope.dispatchEvent(new Event('online'));  // puts nothing off
    world.timers.advance(retryInMs / 2);
    assert.equal(world.client.state, 'connecting');
    world.client.close();
    scope.dispatchEvent(new Event('online'));
    assert.equal(world.timers.timers.size, 0);
  }
});

test('a thousand pages whose network comes back do not come at once', () => {
  // A fixed sequence of numbers that are spread evenly, so the result is always the same.
  let seed = 1;
  const random = () => {
    seed = seed * 48271 % 2147483647;
    return seed / 2147483647;
  };
  const scope = new EventTarget();
  const worlds = Array.from({length: 1000}, () => make({random, scope, backoffBaseMs: 1e6, backoffCapMs: 1e7}));
  for (const world of worlds) world.socket().breakDown(1006);
  scope.dispatchEvent(new Event('offline'));
  scope.dispatchEvent(new Event('online'));
  const comesAt = worlds.map(({states}) => states[states.length - 1].retryInMs);
  const inSlices = Array(10).fill(0);  // of 50 ms
  for (const ms of comesAt) ++inSlices[Math.floor(ms / 50)];
  assert.deepEqual(inSlices.filter((count) => count < 70 || count > 130), [], String(inSlices));
  // None of them waits longer than half a second, so all are back within two.
  assert.ok(Math.max(...comesAt) <= 500);
  for (const {client} of worlds) client.close();
});

test('closing: nothing more is written, and the pause is the server\'s', async () => {
  const world = makeOpen();
  await joined(world, 'a', {epoch: 'e', offset: 1});
  const before = world.socket();
  before.hear({event: 'closing', code: 4000, reason: 'draining', reconnect_after_ms: 740});
  const written = before.sent.length;
  const send = world.client.send('a', 'x');
  assert.equal(before.sent.length, written);
  before.breakDown(4000, 'draining');
  assert.deepEqual(world.states[world.states.length - 1],
      {state: 'waiting', retryInMs: 740, closeCode: 4000, reason: 'draining'});
  world.timers.advance(739);
  assert.equal(world.sockets.length, 1);
  world.timers.advance(1);
  world.socket().welcome();
  assert.deepEqual(world.socket().sent.map((command) => command.cmd), ['add_group', 'send_to_group']);
  world.socket().reply('send_to_group', {group_id: 'a', epoch: 'e', offset: 2});
  assert.equal((await send).offset, 2);
});

test('close codes say whether to come back', () => {
  for (const code of [1000, 1001, 1002, 1003, 1005, 1006, 1007, 1009, 1011, 4000, 4001, 4002, 4499]) {
    const world = makeOpen();
    world.socket().breakDown(code);
    assert.equal(world.client.state, 'waiting', String(code));
  }
  for (const code of [4500, 4999]) {
    const world = makeOpen();
    world.socket().breakDown(code, 'why');
    assert.deepEqual(world.states[world.states.length - 1], {state: 'closed', closeCode: code, reason: 'why'});
    assert.equal(world.timers.timers.size, 0, 'nothing is left to happen');
  }
});

test('silence: asks first, and takes no answer for a dead connection', () => {
  const world = makeOpen();
  const silenceMs = 25000 + 10000;
  world.timers.advance(silenceMs - 1);
  assert.deepEqual(world.socket().sent, []);
  world.timers.advance(1);
  assert.equal(world.socket().commands('ping').length, 1);
  world.timers.advance(1000);
  world.socket().reply('ping', {pong: true});
  world.timers.advance(silenceMs);
  assert.equal(world.client.state, 'open', 'it answered');
  assert.equal(world.socket().commands('ping').length, 2);
  const dead = world.socket();
  world.timers.advance(9999);
  assert.equal(world.client.state, 'open');
  world.timers.advance(1);
  assert.equal(world.client.state, 'waiting');
  assert.ok(dead.closed);
});

test('anything heard puts the ping off', () => {
  const world = makeOpen();
  for (let i = 0; i < 10; ++i) {
    world.timers.advance(34000);
    world.socket().hear({event: 'something of a later version'});
  }
  assert.deepEqual(world.socket().sent, []);
});

test('a server that never welcomes is given up', () => {
  const world = make();
  const silent = world.socket();
  world.timers.advance(9999);
  assert.equal(world.client.state, 'connecting');
  world.timers.advance(1);
  assert.equal(world.client.state, 'waiting');
  assert.ok(silent.closed);
});

test('a callback that throws harms nobody else, and its error is not swallowed', async () => {
  const world = makeOpen();
  const join = world.client.join('a', () => { throw new Error('of the application'); });
  world.socket().reply('add_group', {group_id: 'a', epoch: 'e', offset: 1});
  await join;
  const log = await joined(world, 'b', {epoch: 'e', offset: 1});
  world.socket().message('a', 'x', 2, 1);
  world.socket().message('b', 'y', 3, 1);
  assert.deepEqual(log, [['y', 3]]);
  assert.throws(() => world.timers.advance(0), /of the application/);
});

test('a client may be closed by each of its callbacks, which then hear nothing more', async () => {
  for (const end of [
    (world) => world.socket().message('a', 'x', 2, 1),
    (world) => world.socket().gap('a', 'e', 1, 5),
    (world) => world.socket().breakDown(1006),
    (world) => world.socket().breakDown(4500),
    (world) => world.socket().hear({event: 'error', code: 'internal', message: 'because', retry: true}),
  ]) {
    const world = makeOpen();
    const calls = [];
    const close = (what) => {
      calls.push(what);
      world.client.close();
    };
    const join = world.client.join('a', () => close('message'), {onGap: () => close('gap'), onEnd: () => {}});
    world.socket().reply('add_group', {group_id: 'a', epoch: 'e', offset: 1});
    await join;
    world.client.on('state', ({state}) => state === 'closed' || close('state'));
    world.client.on('error', () => close('error'));
    const before = world.socket();
    end(world);
    if (before.onmessage) before.message('a', 'y', 9, 8);
    world.timers.advance(60000);
    assert.equal(calls.length, 1);
    assert.equal(world.client.state, 'closed');
    assert.equal(world.sockets.length, 1);
    assert.equal(world.timers.timers.size, 0);
  }
});

test('the listener that on() returned a remover for is not called after it', () => {
  const world = make();
  let calls = 0;
  const remove = world.client.on('state', () => ++calls);
  remove();
  world.socket().welcome();
  assert.equal(calls, 0);
  assert.throws(() => world.client.on('message', () => {}), TypeError);
});
