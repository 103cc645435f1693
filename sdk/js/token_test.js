'use strict';

// groupcast.js: tokens, and what the server refuses because of them.

const assert = require('node:assert/strict');
const test = require('node:test');
const {isError, joined, make, settled} = require('./fakes.js');

const SUBPROTOCOL = 'groupcast.v1.json';
const lastReason = (world) => world.states.filter(({state}) => state === 'waiting').pop().reason;
const lastState = (world) => world.states[world.states.length - 1];

// A token callback that counts its calls.
function counter() {
  const token = () => Promise.resolve('t' + ++token.calls);
  token.calls = 0;
  return token;
}

async function makeOpenWithTokens(token) {
  const world = make({token});
  await settled();
  world.socket().welcome();
  return world;
}

// Breaks the connection, and waits for the next attempt.
async function lose(world, code) {
  world.socket().breakDown(code, 'why');
  world.timers.advance(10000);
  await settled();
}

test('a fixed token is shown as a subprotocol', () => {
  assert.deepEqual(make({token: 'a.b.c'}).socket().protocols, [SUBPROTOCOL, 'groupcast.token.a.b.c']);
});

test('each connection has a token of its own, and waits for it', async () => {
  const token = counter();
  const world = make({token});
  assert.equal(world.sockets.length, 0);
  assert.equal(world.client.state, 'connecting');
  await settled();
  assert.deepEqual(world.socket().protocols, [SUBPROTOCOL, 'groupcast.token.t1']);
  world.socket().welcome();
  await lose(world, 1006);
  assert.deepEqual(world.socket().protocols, [SUBPROTOCOL, 'groupcast.token.t2']);
});

test('a token that expires is replaced on the connection', async () => {
  const world = await makeOpenWithTokens(counter());
  const expired = {event: 'error', cmd: 'authenticate', code: 'token_expired', message: 'because', retry: false};
  world.socket().hear(expired);
  await settled();
  const {cmd, token} = world.socket().last('authenticate');
  assert.deepEqual([cmd, token], ['authenticate', 't2']);
  world.socket().reply('authenticate', {user: 'alice'});
  assert.deepEqual(world.errors, []);

  world.socket().hear(expired);
  await settled();
  world.socket().fail('authenticate', 'forbidden', false);
  isError('forbidden', false)(world.errors[0]);
});

test('without a function, the expiry is told', () => {
  const world = make({token: 't'});
  world.socket().welcome();
  world.socket().hear({event: 'error', cmd: 'authenticate', code: 'token_expired', message: 'because', retry: false});
  isError('token_expired', false)(world.errors[0]);
});

test('a fresh token is tried once after 4500 and 4501; a fixed one cannot become better; it is told once', async () => {
  for (const code of [4500, 4501]) {
    const world = await makeOpenWithTokens(counter());
    await lose(world, code);
    assert.equal(world.client.state, 'connecting');
    world.socket().welcome();
    world.socket().hear({event: 'error', code: 'unauthorized', message: 'because', retry: false});
    await lose(world, code);
    assert.deepEqual(lastState(world), {state: 'closed', closeCode: code, reason: 'why'});
    assert.deepEqual(world.errors.map((error) => error.code), ['refused']);

    const fixed = make({token: 't'});
    fixed.socket().welcome();
    await lose(fixed, code);
    assert.equal(fixed.client.state, 'closed');
  }
});

test('a token may expire again after a connection that lasted', async () => {
  const world = await makeOpenWithTokens(counter());
  for (let i = 0; i < 3; ++i) {
    world.timers.advance(10000);
    await lose(world, 4501);
    assert.equal(world.client.state, 'connecting');
    world.socket().welcome();
  }
});

test('a token callback that fails or hangs is tried again, and costs no membership', async () => {
  let work = () => 'first';
  const world = await makeOpenWithTokens(() => work());
  await joined(world, 'a', {epoch: 'e', offset: 1});
  const sockets = world.sockets.length;
  work = () => { throw new Error('no network'); };
  await lose(world, 1006);
  assert.match(lastReason(world), /no network/);
  work = () => new Promise(() => {});
  world.timers.advance(10000);
  await settled();
  world.timers.advance(10000);
  await settled();
  assert.match(lastReason(world), /too long/);
  assert.equal(world.sockets.length, sockets);
  work = () => 'again';
  world.timers.advance(20000);
  await settled();
  assert.deepEqual(world.socket().protocols, [SUBPROTOCOL, 'groupcast.token.again']);
  world.socket().welcome();
  assert.equal(world.socket().last('add_group').group_id, 'a');
});

test('a token that comes too late opens nothing', async () => {
  let give;
  const world = make({token: () => new Promise((resolve) => { give = resolve; })});
  await settled();
  world.client.close();
  give('late');
  await settled();
  assert.equal(world.sockets.length, 0);
  assert.equal(world.timers.timers.size, 0);
});
