'use strict';

// groupcast.js without a network: a WebSocket that the test plays the server of, and a clock that it moves.

const assert = require('node:assert/strict');
const test = require('node:test');
const groupcast = require('./groupcast.js');

class FakeTimers {
  constructor() {
    this.time = 1000;
    this.timers = new Map();
    this.nextId = 1;
  }

  setTimeout(callback, ms) {
    this.timers.set(this.nextId, {at: this.time + ms, callback});
    return this.nextId++;
  }

  clearTimeout(id) {
    this.timers.delete(id);
  }

  now() {
    return this.time;
  }

  // Moves on, and runs what is due in its order, also what that sets up.
  advance(ms) {
    const until = this.time + ms;
    for (;;) {
      let first = null;
      for (const [id, timer] of this.timers) {
        if (timer.at <= until && (first === null || timer.at < this.timers.get(first).at)) first = id;
      }
      if (first === null) break;
      const {at, callback} = this.timers.get(first);
      this.timers.delete(first);
      this.time = Math.max(this.time, at);
      callback();
    }
    this.time = until;
  }
}

class FakeWebSocket {
  constructor(url, protocols) {
    this.url = url;
    this.protocols = protocols;
    this.readyState = 0;
    this.bufferedAmount = 0;
    this.sent = [];
    this.closed = false;
    FakeWebSocket.all.push(this);
  }

  send(text) {
    assert.equal(this.readyState, 1, 'written to a socket that is not open');
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.closed = true;
    this.readyState = 3;
  }

  // What the server does:

  welcome(fields) {
    this.readyState = 1;
    this.hear(Object.assign({
      event: 'welcome', connection_id: 'c', ping_interval_ms: 25000,
      limits: {message_bytes: 65536, groups: 128, frame_bytes: 1048576},
    }, fields));
  }

  hear(event) {
    this.onmessage({data: JSON.stringify(event)});
  }

  // Answers the newest command of this kind.
  reply(cmd, fields) {
    this.hear(Object.assign({event: 'reply', id: this.last(cmd).id}, fields));
  }

  fail(cmd, code, retry) {
    this.hear({event: 'error', id: this.last(cmd).id, cmd, code, message: 'because', retry});
  }

  message(groupId, message, offset, previous) {
    this.hear({event: 'message', group_id: groupId, message, offset, previous, sent_at: 5});
  }

  breakDown(code, reason = '') {
    this.readyState = 3;
    this.onclose({code, reason});
  }

  commands(cmd) {
    return this.sent.filter((command) => command.cmd === cmd);
  }

  last(cmd) {
    const commands = this.commands(cmd);
    assert.ok(commands.length > 0, 'no ' + cmd + ' was written');
    return commands[commands.length - 1];
  }
}

// A client, the server's side of its newest connection, and what it was heard to say.
function make(options = {}) {
  FakeWebSocket.all = [];
  const timers = new FakeTimers();
  const client = new groupcast.Client('ws://here', Object.assign({
    WebSocket: FakeWebSocket, timers, random: () => 0.5,
  }, options));
  const states = [];
  const errors = [];
  client.on('state', (event) => states.push(event));
  client.on('error', (error) => errors.push(error));
  const sockets = FakeWebSocket.all;
  return {client, timers, states, errors, sockets, socket: () => sockets[sockets.length - 1]};
}

function makeOpen(options) {
  const world = make(options);
  world.socket().welcome();
  return world;
}

async function joined(world, groupId, position, log = []) {
  const answer = world.client.join(groupId, (message, info) => log.push([message, info.offset]),
      {onGap: (gap) => log.push(gap)});
  world.socket().reply('add_group', Object.assign({group_id: groupId}, position));
  await answer;
  return log;
}

// Breaks the connection and lets the next one be welcomed.
function reconnect(world) {
  world.socket().breakDown(1006);
  world.timers.advance(10000);
  world.socket().welcome();
}

const isError = (code, retry) => (error) => {
  assert.ok(error instanceof groupcast.GroupcastError, String(error));
  assert.equal(error.code, code);
  assert.equal(error.retry, retry);
  return true;
};

test('asks for the subprotocol and is open with the welcome', () => {
  const world = make();
  assert.deepEqual(world.socket().protocols, ['groupcast.v1.json']);
  assert.equal(world.client.state, 'connecting');
  world.socket().welcome();
  assert.equal(world.client.state, 'open');
  assert.deepEqual(world.states, [{state: 'open'}]);
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

test('join, send and leave resolve with the server\'s answers', async () => {
  const world = makeOpen();
  const log = [];
  const join = world.client.join(123, (message, info) => log.push([message, info]));
  assert.equal(world.socket().last('add_group').group_id, '123');
  world.socket().reply('add_group', {group_id: '123', epoch: 'e', offset: 7});
  assert.deepEqual(await join, {epoch: 'e', offset: 7});

  const send = world.client.send('123', {text: 'مرحبا'});
  const {id, ...command} = world.socket().last('send_to_group');
  assert.deepEqual(command, {cmd: 'send_to_group', group_id: '123', message: {text: 'مرحبا'}});
  world.socket().message('123', {text: 'مرحبا'}, 8, 7);
  world.socket().reply('send_to_group', {group_id: '123', epoch: 'e', offset: 8});
  assert.deepEqual(await send, {epoch: 'e', offset: 8});
  assert.deepEqual(log, [[{text: 'مرحبا'}, {groupId: '123', epoch: 'e', offset: 8, sentAt: 5}]]);

  const leave = world.client.leave('123');
  world.socket().message('123', 'too late', 9, 8);
  world.socket().reply('leave_group', {group_id: '123'});
  await leave;
  assert.equal(log.length, 1);
});

test('replies may come in any order', async () => {
  const world = makeOpen();
  const first = world.client.send('a', 1);
  const second = world.client.send('a', 2);
  const [one, two] = world.socket().commands('send_to_group');
  world.socket().hear({event: 'reply', id: two.id, group_id: 'a', epoch: 'e', offset: 2});
  world.socket().hear({event: 'reply', id: one.id, group_id: 'a', epoch: 'e', offset: 1});
  assert.equal((await first).offset, 1);
  assert.equal((await second).offset, 2);
});

test('the server\'s errors keep their code and retry', async () => {
  const world = makeOpen();
  const send = world.client.send('a', 'x'.repeat(70000));
  world.socket().fail('send_to_group', 'message_too_large', false);
  await assert.rejects(send, isError('message_too_large', false));
  const join = world.client.join('a', () => {});
  world.socket().fail('add_group', 'unavailable', true);
  await assert.rejects(join, isError('unavailable', true));
  reconnect(world);
  assert.deepEqual(world.socket().commands('add_group'), [], 'a join that failed is not repeated');
});

test('an error that names no command is told as an event', () => {
  const world = makeOpen();
  world.socket().hear({event: 'error', code: 'internal', message: 'because', retry: true});
  assert.equal(world.errors.length, 1);
  isError('internal', true)(world.errors[0]);
});

test('what the server could not even answer is refused here', async () => {
  const world = makeOpen();
  let deep = 'x';
  for (let i = 0; i < 64; ++i) deep = [deep];
  const circular = {};
  circular.self = circular;
  await assert.rejects(world.client.send('a', deep), isError('bad_json', false));
  await assert.rejects(world.client.send('a', '\ud800'), isError('bad_json', false));
  await assert.rejects(world.client.send('\udc00', 'x'), isError('bad_json', false));
  await assert.rejects(world.client.send('a', circular), isError('bad_json', false));
  await assert.rejects(world.client.send('a', undefined), isError('message_missing', false));
  await assert.rejects(world.client.send(1.5, 'x'), isError('group_id_invalid', false));
  assert.deepEqual(world.socket().sent, []);
});

test('what only looks like that is sent', () => {
  const world = makeOpen();
  const messages = ['\\ud800', '😀', '[[[[{'.repeat(100), null, deep(63)];
  for (const message of messages) world.client.send('a', message);
  assert.deepEqual(world.socket().sent.map((command) => command.message), messages);

  function deep(n) {
    return n === 0 ? 'x' : [deep(n - 1)];
  }
});

test('duplicates are dropped, group by group', async () => {
  const world = makeOpen();
  const a = await joined(world, 'a', {epoch: 'e', offset: 10});
  const b = await joined(world, 'b', {epoch: 'e', offset: 20});
  world.socket().message('a', 'one', 11, 10);
  world.socket().message('a', 'one again', 11, 10);
  world.socket().message('a', 'from before', 10, 9);
  world.socket().message('b', 'two', 21, 20);
  world.socket().message('a', 'three', 22, 11);
  world.socket().message('c', 'of a group that was not joined', 23, 0);
  assert.deepEqual(a, [['one', 11], ['three', 22]]);
  assert.deepEqual(b, [['two', 21]]);
});

test('a rejoin at the same position continues without a gap', async () => {
  const world = makeOpen();
  const log = await joined(world, 'a', {epoch: 'e', offset: 10});
  world.socket().message('a', 'one', 11, 10);
  reconnect(world);
  world.socket().message('a', 'before the reply: of no use', 12, 11);
  world.socket().reply('add_group', {group_id: 'a', epoch: 'e', offset: 11});
  world.socket().message('a', 'two', 12, 11);
  assert.deepEqual(log, [['one', 11], ['two', 12]]);
});

test('a rejoin on a worker that is behind drops what was seen already', async () => {
  const world = makeOpen();
  const log = await joined(world, 'a', {epoch: 'e', offset: 10});
  world.socket().message('a', 'one', 11, 10);
  reconnect(world);
  world.socket().reply('add_group', {group_id: 'a', epoch: 'e', offset: 10});
  world.socket().message('a', 'one', 11, 10);
  world.socket().message('a', 'two', 12, 11);
  assert.deepEqual(log, [['one', 11], ['two', 12]]);
});

test('what may have been missed is told: by a rejoin, a gap event, a new epoch, a hole', async () => {
  const world = makeOpen();
  const log = await joined(world, 'a', {epoch: 'e', offset: 10});
  reconnect(world);
  world.socket().reply('add_group', {group_id: 'a', epoch: 'e', offset: 15});
  world.socket().hear({event: 'gap', group_id: 'a', epoch: 'e', from: 15, to: 17});
  world.socket().message('a', 'x', 18, 17);
  world.socket().hear({event: 'gap', group_id: 'a', epoch: 'f', from: null, to: 2});
  world.socket().message('a', 'y', 3, 2);
  world.socket().message('a', 'z', 9, 8);
  reconnect(world);
  world.socket().reply('add_group', {group_id: 'a', epoch: 'g', offset: 1});
  world.socket().message('a', 'last', 2, 1);
  const gap = (epoch, from, to) => ({groupId: 'a', epoch, from, to});
  assert.deepEqual(log, [
    gap('e', 10, 15), gap('e', 15, 17), ['x', 18], gap('f', null, 2), ['y', 3], gap('f', 3, 8), ['z', 9],
    gap('g', null, 1), ['last', 2],
  ]);
});

test('all groups are joined again before queued sends go out', async () => {
  const world = makeOpen();
  await joined(world, 'a', {epoch: 'e', offset: 1});
  await joined(world, 'b', {epoch: 'e', offset: 2});
  const left = world.client.leave('b');
  world.socket().breakDown(1006);
  await left;
  const send = world.client.send('a', 'queued');
  const joining = world.client.join('c', () => {});
  world.timers.advance(10000);
  world.socket().welcome();
  assert.deepEqual(world.socket().sent.map((command) => [command.cmd, command.group_id]),
      [['add_group', 'a'], ['add_group', 'c'], ['send_to_group', 'a']]);
  world.socket().reply('add_group', {group_id: 'c', epoch: 'e', offset: 3});
  world.socket().reply('send_to_group', {group_id: 'a', epoch: 'e', offset: 4});
  assert.equal((await joining).offset, 3);
  assert.equal((await send).offset, 4);
});

test('a rejoin that is put off is tried again; one that is refused ends the membership', async () => {
  const world = makeOpen();
  const log = await joined(world, 'a', {epoch: 'e', offset: 1});
  reconnect(world);
  world.socket().fail('add_group', 'unavailable', true);
  assert.equal(world.socket().commands('add_group').length, 1);
  world.timers.advance(50);  // half of backoffBaseMs
  assert.equal(world.socket().commands('add_group').length, 2);
  world.socket().reply('add_group', {group_id: 'a', epoch: 'e', offset: 1});
  world.socket().message('a', 'x', 2, 1);
  assert.deepEqual(log, [['x', 2]]);

  reconnect(world);
  world.socket().fail('add_group', 'too_many_groups', false);
  assert.equal(world.errors.length, 1);
  isError('too_many_groups', false)(world.errors[0]);
  assert.equal(world.errors[0].groupId, 'a');
  reconnect(world);
  assert.deepEqual(world.socket().sent, []);
});

test('a rejoin that was put off is not made twice after another reconnect', async () => {
  const world = makeOpen();
  await joined(world, 'a', {epoch: 'e', offset: 1});
  reconnect(world);
  for (const delay of [50, 100]) {
    world.socket().fail('add_group', 'unavailable', true);
    world.timers.advance(delay);
  }
  world.socket().fail('add_group', 'unavailable', true);  // the next try would come in 200 ms
  world.socket().breakDown(1006);
  world.timers.advance(100);
  world.socket().welcome();
  world.timers.advance(1000);
  assert.equal(world.socket().commands('add_group').length, 1);
});

test('a group that was left is told of nothing', async () => {
  const world = makeOpen();
  const log = await joined(world, 'a', {epoch: 'e', offset: 1});
  reconnect(world);
  world.client.leave('a');
  world.socket().reply('add_group', {group_id: 'a', epoch: 'e', offset: 5});
  assert.deepEqual(log, []);

  const gaps = [];
  const join = world.client.join('b', (message) => gaps.push(message), {onGap: (gap) => {
    gaps.push(gap.to);
    world.client.leave('b');
  }});
  world.socket().reply('add_group', {group_id: 'b', epoch: 'e', offset: 1});
  await join;
  world.socket().message('b', 'x', 9, 8);
  assert.deepEqual(gaps, [8]);
});

test('a join survives a broken connection, and joining again only replaces the callback', async () => {
  const world = makeOpen();
  const log = [];
  const join = world.client.join('a', () => log.push('replaced'));
  reconnect(world);
  const again = world.client.join('a', (message) => log.push(message));
  assert.equal(world.socket().commands('add_group').length, 1);
  world.socket().reply('add_group', {group_id: 'a', epoch: 'e', offset: 1});
  assert.deepEqual(await join, {epoch: 'e', offset: 1});
  assert.deepEqual(await again, {epoch: 'e', offset: 1});
  world.socket().message('a', 'x', 2, 1);
  assert.deepEqual(await world.client.join('a', (message) => log.push(message + '!')), {epoch: 'e', offset: 2});
  world.socket().message('a', 'y', 3, 2);
  assert.deepEqual(log, ['x', 'y!']);
});

test('to leave before the join is answered rejects the join', async () => {
  const world = makeOpen();
  const log = [];
  const join = world.client.join('a', (message) => log.push(message));
  const leave = world.client.leave('a');
  await assert.rejects(join, isError('left', false));
  world.socket().reply('add_group', {group_id: 'a', epoch: 'e', offset: 1});
  world.socket().message('a', 'x', 2, 1);
  world.socket().reply('leave_group', {group_id: 'a'});
  await leave;
  assert.deepEqual(log, []);
});

test('messages of a membership that was left do not reach the next one', async () => {
  const world = makeOpen();
  await joined(world, 'a', {epoch: 'e', offset: 1});
  world.client.leave('a');
  const log = [];
  world.client.join('a', (message) => log.push(message));
  world.socket().message('a', 'of the first membership', 2, 1);
  world.socket().reply('add_group', {group_id: 'a', epoch: 'e', offset: 2});
  world.socket().message('a', 'x', 3, 2);
  assert.deepEqual(log, ['x']);
});

test('an unanswered send is of unknown outcome when the connection breaks, and is not repeated', async () => {
  const world = makeOpen();
  const send = world.client.send('a', 'x');
  reconnect(world);
  await assert.rejects(send, isError('outcome_unknown', true));
  assert.deepEqual(world.socket().sent, []);
});

test('the queue is bounded in bytes; what waits keeps waiting', async () => {
  const world = make({sendQueueBytesMax: 400});
  const ids = [];
  let refused = null;
  while (refused === null) {
    // Each is a little below 100 bytes, with two bytes for a letter.
    world.client.send('a', 'ل'.repeat(20)).then(({offset}) => ids.push(offset), (error) => { refused = error; });
    await null;
    await null;
    await null;
  }
  isError('queue_full', true)(refused);
  world.socket().welcome();
  const sent = world.socket().commands('send_to_group');
  assert.equal(sent.length, 4);
  const bytes = sent.reduce((sum, command) => sum + Buffer.byteLength(JSON.stringify(command)), 0);
  assert.ok(bytes <= 400 && bytes + bytes / sent.length > 400, bytes + ' bytes were let in');
});

test('a network that does not take the bytes is bounded in the same way', async () => {
  const world = makeOpen({sendQueueBytesMax: 1000});
  world.socket().bufferedAmount = 990;
  await assert.rejects(world.client.send('a', 'x'), isError('queue_full', true));
  world.socket().bufferedAmount = 0;
  world.client.send('a', 'x');
  assert.equal(world.socket().commands('send_to_group').length, 1);
});

test('a command over the server\'s frame limit is not written', async () => {
  const world = make();
  const send = world.client.send('a', 'x'.repeat(200));
  world.socket().welcome({limits: {frame_bytes: 200}});
  await assert.rejects(send, isError('message_too_large', false));
  assert.deepEqual(world.socket().sent, []);
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

test('nothing is lost in a socket that is closing', async () => {
  const world = makeOpen();
  world.socket().readyState = 2;
  const send = world.client.send('a', 'x');
  reconnect(world);
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

test('close rejects what waits, by what is known of it, and is final', async () => {
  const world = makeOpen();
  const written = world.client.send('a', 'x');
  const joining = world.client.join('a', () => {});
  world.client.close();
  await assert.rejects(written, isError('outcome_unknown', true));
  await assert.rejects(joining, isError('closed', false));
  await assert.rejects(world.client.send('a', 'x'), isError('closed', false));
  await assert.rejects(world.client.join('a', () => {}), isError('closed', false));
  assert.ok(world.socket().closed);
  assert.equal(world.client.state, 'closed');
  assert.equal(world.timers.timers.size, 0);

  const unconnected = make();
  const queued = unconnected.client.send('a', 'x');
  unconnected.client.close();
  await assert.rejects(queued, isError('closed', false));
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

test('the listener that on() returned a remover for is not called after it', () => {
  const world = make();
  let calls = 0;
  const remove = world.client.on('state', () => ++calls);
  remove();
  world.socket().welcome();
  assert.equal(calls, 0);
  assert.throws(() => world.client.on('message', () => {}), TypeError);
});
