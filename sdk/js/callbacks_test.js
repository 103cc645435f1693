'use strict';

// groupcast.js: what an application may do in its callbacks, and what a long life leaves behind.

const assert = require('node:assert/strict');
const events = require('node:events');
const test = require('node:test');
const v8 = require('node:v8');
const vm = require('node:vm');
const {FakeWebSocket, joined, make, makeOpen, reconnect, settled} = require('./fakes.js');

// Each callback, and how the server makes the client call it. The client is in group 'a', at offset 7 of epoch 'e', and
// has a send without an answer.
const CALLBACKS = {
  onMessage: (world) => world.socket().message('a', 'x', 8, 7),
  onGap: (world) => world.socket().gap('a', 'e', 7, 9),
  onRecovered: (world) => {
    reconnect(world);
    world.socket().reply('add_group', {group_id: 'a', epoch: 'e', offset: 7, recovered: true});
  },
  onMembers: (world) => world.socket().reply('group_members', {group_id: 'a', count: 0, members: []}),
  onEnd: (world) => world.socket().hear(
      {event: 'error', cmd: 'add_group', group_id: 'a', code: 'forbidden', message: 'm', retry: false}),
  state: (world) => world.socket().breakDown(1006),
  error: (world) => world.socket().hear({event: 'error', cmd: 'ping', code: 'internal', message: 'm', retry: false}),
};

const ACTIONS = {
  'close()': (client) => client.close(),
  'leave()': (client) => client.leave('a'),
  'send()': (client) => client.send('a', 'from the callback').catch(() => {}),
  'reconnect()': (client) => client.reconnect(),
  'join()': (client) => client.join('b', () => {}).catch(() => {}),
  'an error': () => {
    throw new Error('of the application');
  },
};

// `act` is done in the first call of this callback. `log` has the names of all calls.
async function makeWorld(name, act) {
  const world = makeOpen();
  const log = [];
  let isDone = false;
  const note = (callback) => () => {
    log.push(callback);
    if (callback !== name || isDone) return;
    isDone = true;
    log.push('acts');
    act(world.client);
  };
  world.client.on('state', note('state'));
  world.client.on('error', note('error'));
  const join = world.client.join('a', note('onMessage'), {
    onGap: note('onGap'), onRecovered: note('onRecovered'), onMembers: note('onMembers'), onEnd: note('onEnd'),
  });
  world.socket().reply('add_group', {group_id: 'a', epoch: 'e', offset: 7});
  await join;
  world.sent = world.client.send('a', 'waits').then(() => 'sent', ({code}) => code);
  return Object.assign(world, {log});
}

for (const [name, provoke] of Object.entries(CALLBACKS)) {
  for (const [what, act] of Object.entries(ACTIONS)) {
    test(`${what} in ${name}`, async () => {
      const world = await makeWorld(name, act);
      const {client, timers, log} = world;
      provoke(world);
      await settled();
      assert.ok(log.includes('acts'), 'the callback was not called');
      if (what === 'an error') assert.throws(() => timers.advance(0), /of the application/);
      const after = log.slice(log.indexOf('acts') + 1);
      if (what === 'close()') {
        assert.equal(client.state, 'closed');
        // The end of the membership and of the client are told, and nothing else. The error that ended a membership has
        // two listeners, and onEnd is the first.
        const ends = name === 'onEnd' ? ['error', 'state'] : ['onEnd', 'state'];
        assert.deepEqual(after.filter((callback) => !ends.includes(callback)), []);
        assert.equal(await world.sent, 'outcome_unknown');
        timers.advance(1000);
        assert.equal(timers.timers.size, 0);
        return;
      }
      // The client works on: it gets a connection if it has none, and answers settle its calls.
      if (client.state === 'waiting') timers.advance(10000);
      if (client.state === 'connecting') world.socket().welcome();
      world.socket().reply('send_to_group', {epoch: 'e', offset: 50});
      const last = client.send('b', 'last');
      world.socket().reply('send_to_group', {epoch: 'e', offset: 51});
      assert.deepEqual(await last, {epoch: 'e', offset: 51});
      if (what === 'leave()' && name !== 'onEnd') {
        assert.deepEqual(after.filter((callback) => callback.startsWith('on') && callback !== 'onEnd'), []);
      }
      if (what === 'send()') {
        assert.ok(world.sockets.some((socket) => socket.commands('send_to_group')
            .some(({message}) => message === 'from the callback')), 'it was not written');
      }
      if (what === 'join()') {
        assert.ok(world.sockets.some((socket) => socket.commands('add_group').some(({group_id: id}) => id === 'b')));
      }
      client.close();
    });
  }
}

test('close() in the token callback ends the client, and nothing comes after that', async () => {
  let calls = 0;
  const world = make({token: () => {
    if (++calls === 2) world.client.close();
    return 't';
  }});
  await settled();
  world.socket().welcome();
  world.socket().breakDown(1006);
  world.timers.advance(10000);
  await settled();
  assert.deepEqual(world.states.map(({state}) => state), ['open', 'waiting', 'closed']);
  assert.equal(world.sockets.length, 1);
  assert.equal(world.timers.timers.size, 0);
});

test('options that have no JSON are a TypeError, and spoil no later connection', async () => {
  const world = make();
  await assert.rejects(world.client.history('a', {limit: 10n}), TypeError);
  await assert.rejects(world.client.members('a', {limit: 10n}), TypeError);
  await assert.rejects(world.client.join('a', () => {}, {history: 10n}), TypeError);
  await assert.rejects(world.client.join('a', () => {}, {history: 'all'}), TypeError);
  world.socket().welcome();
  assert.deepEqual(world.socket().sent, []);
  assert.deepEqual(world.states.map(({state}) => state), ['open']);
  world.client.close();
});

// The bytes of the heap that are in use, without garbage.
function heapBytes() {
  v8.setFlagsFromString('--expose-gc');
  const gc = vm.runInNewContext('gc');
  gc();
  gc();
  return process.memoryUsage().heapUsed;
}

test('ten thousand joins, leaves, sends and reads leave nothing behind', async () => {
  const {signal} = new AbortController();
  events.setMaxListeners(0, signal);
  const world = makeOpen({signal});
  const {client, timers} = world;
  const round = async (n) => {
    const socket = world.socket();
    const join = client.join('group ' + n, () => {}, {signal, onMembers: () => {}});
    socket.reply('add_group', {group_id: 'group ' + n, epoch: 'e', offset: n});
    const send = client.send('group ' + n, 'x', {signal});
    socket.reply('send_to_group', {epoch: 'e', offset: n});
    const read = client.history('group ' + n, {signal});
    socket.reply('group_history', {epoch: 'e', offset: n, messages: []});
    const leave = client.leave('group ' + n);
    socket.reply('leave_group', {});
    await Promise.all([join, send, read, leave]);
    socket.sent = [];
    timers.advance(1);
  };
  for (let n = 0; n < 1000; ++n) await round(n);
  const timersBefore = timers.timers.size;
  const before = heapBytes();
  for (let n = 0; n < 10000; ++n) await round(n);
  const grown = heapBytes() - before;
  assert.ok(grown < 500000, `the heap has grown by ${grown} bytes`);
  assert.equal(timers.timers.size, timersBefore);
  assert.equal(events.getEventListeners(signal, 'abort').length, 1, 'only the client\'s own');
  client.close();
  assert.equal(events.getEventListeners(signal, 'abort').length, 0);
});

test('five thousand reconnects leave nothing behind', async () => {
  const world = makeOpen();
  const log = await joined(world, 'a', {epoch: 'e', offset: 7});
  const round = async () => {
    log.length = 0;
    reconnect(world);
    world.socket().reply('add_group', {group_id: 'a', epoch: 'e', offset: 7, recovered: true});
    await settled();
    world.states.length = 0;
    FakeWebSocket.all.splice(0, FakeWebSocket.all.length - 1);
  };
  for (let n = 0; n < 1000; ++n) await round();
  const timersBefore = world.timers.timers.size;
  const before = heapBytes();
  for (let n = 0; n < 5000; ++n) await round();
  const grown = heapBytes() - before;
  assert.ok(grown < 500000, `the heap has grown by ${grown} bytes`);
  assert.equal(world.timers.timers.size, timersBefore);
  world.client.close();
});

test('a loop that is dropped without its end holds a bounded number of messages', async () => {
  const world = makeOpen();
  const loop = world.client.group('a');
  const first = loop.next();
  world.socket().reply('add_group', {group_id: 'a', epoch: 'e', offset: 0});
  world.socket().message('a', 'first', 1, 0);
  assert.equal((await first).value.message, 'first');
  for (let n = 2; n < 5000; ++n) world.socket().message('a', 'x', n, n - 1);
  assert.equal(world.socket().commands('leave_group').length, 1, 'it asks for no more');
  let kept = 0;
  world.client.close();
  while (!(await loop.next()).done) ++kept;
  assert.equal(kept, 1000);
});
