'use strict';

// groupcast.js: a group as an asynchronous iterator.

const assert = require('node:assert/strict');
const test = require('node:test');
const {joined, makeOpen, reconnect, settled} = require('./fakes.js');

const EPOCH = '5f0c2ab3d1e94477';
const WAITING_MAX = 1000;

// Begins to iterate, answers the join, and returns the iterator with its first result.
async function begin(world, offset, options) {
  const stream = world.client.group('a', options);
  const first = stream.next();
  await settled();
  world.socket().reply('add_group', {group_id: 'a', epoch: EPOCH, offset});
  await settled();
  return {stream, first};
}

// The promise of a next() rejects with an error like `code`; without a code it says that the loop is over.
async function checkEnd(promise, code) {
  const result = {};
  promise.then((value) => { result.value = value; }, (error) => { result.error = String(error); });
  await settled();
  if (code) assert.match(result.error || '', code);
  else assert.deepEqual(result, {value: {done: true, value: undefined}});
}

test('a loop joins, gets the messages, and leaves', async () => {
  const world = makeOpen();
  const seen = [];
  const loop = (async () => {
    for await (const {message, offset, groupId, gap} of world.client.group('a', {history: 3})) {
      seen.push([message, offset, groupId, gap]);
      if (message === 'stop') break;
    }
  })();
  await settled();
  assert.equal(world.socket().last('add_group').history, 3);
  world.socket().reply('add_group', {group_id: 'a', epoch: EPOCH, offset: 1});
  world.socket().message('a', 'x', 2, 1);
  world.socket().message('a', 'stop', 3, 2);
  world.socket().message('a', 'late', 4, 3);
  await settled();
  assert.equal(world.socket().last('leave_group').group_id, 'a');
  world.socket().reply('leave_group', {group_id: 'a'});
  await loop;
  assert.deepEqual(seen, [['x', 2, 'a', null], ['stop', 3, 'a', null]]);
});

test('nothing is joined before the loop begins', async () => {
  const world = makeOpen();
  world.client.group('a');
  await settled();
  assert.deepEqual(world.socket().sent, []);
});

test('a gap stands before the message that follows it', async () => {
  const world = makeOpen();
  const gaps = [];
  const {stream, first} = await begin(world, 1, {onGap: (gap) => gaps.push(gap)});
  world.socket().gap('a', EPOCH, 1, 5);
  world.socket().message('a', 'x', 9, 8);
  const gap = {groupId: 'a', epoch: EPOCH, from: 1, to: 8};
  assert.deepEqual((await first).value.gap, gap);
  assert.equal(gaps.length, 2);
  world.socket().message('a', 'y', 10, 9);
  assert.equal((await stream.next()).value.gap, null);
});

test('a loop goes on over a reconnect', async () => {
  const world = makeOpen();
  const {stream, first} = await begin(world, 1);
  world.socket().message('a', 'x', 2, 1);
  await first;
  reconnect(world);
  assert.deepEqual(world.socket().last('add_group').since, {epoch: EPOCH, offset: 2});
  world.socket().reply('add_group', {group_id: 'a', epoch: EPOCH, offset: 2, recovered: true});
  world.socket().message('a', 'y', 3, 2);
  assert.equal((await stream.next()).value.message, 'y');
});

function fill(world, from, to) {
  for (let i = from; i <= to; ++i) world.socket().message('a', i, i, i - 1);
}

// As begin(), and the loop is so slow that the client has left the group: 1,000 messages wait.
async function beginSlowly(world, options) {
  const {stream, first} = await begin(world, 0, options);
  fill(world, 1, WAITING_MAX + 1);
  assert.equal(world.socket().commands('leave_group').length, 1);
  assert.equal((await first).value.message, 1);
  return stream;
}

test('a slow loop leaves the group when too much waits, and catches up', async () => {
  const world = makeOpen();
  const {stream, first} = await begin(world, 0);
  fill(world, 1, WAITING_MAX + 5);  // the first goes to the loop, and 1,000 wait
  await settled();
  assert.equal(world.socket().commands('leave_group').length, 1);
  world.socket().reply('leave_group', {group_id: 'a'});
  assert.equal((await first).value.message, 1);
  for (let i = 2; i <= WAITING_MAX + 1; ++i) assert.equal((await stream.next()).value.message, i);
  assert.equal(world.socket().commands('add_group').length, 1);

  const next = stream.next();
  await settled();
  assert.deepEqual(world.socket().last('add_group').since, {epoch: EPOCH, offset: WAITING_MAX + 1});
  world.socket().reply('add_group', {group_id: 'a', epoch: EPOCH, offset: WAITING_MAX + 1, recovered: true});
  fill(world, WAITING_MAX + 2, WAITING_MAX + 3);
  assert.equal((await next).value.message, WAITING_MAX + 2);
  assert.equal((await stream.next()).value.message, WAITING_MAX + 3);
});

// What ends a loop, and the error that it throws then.
const ENDS = [
  [(world) => world.client.leave('a'), null],
  [(world) => world.client.close(), null],
  [(world) => world.socket().breakDown(4502, 'why'), /4502/],
  [(world) => world.controller.abort(new Error('enough')), /enough/],
];

test('leave() and close() end the loop; the server and a signal make it throw', async () => {
  for (const [end, code] of [
    ...ENDS,
    [(world) => world.socket().hear({
      event: 'error', cmd: 'add_group', group_id: 'a', code: 'forbidden', message: 'taken away', retry: false,
    }), /taken away/],
  ]) {
    const world = makeOpen();
    world.controller = new AbortController();
    const {stream, first} = await begin(world, 1, {signal: world.controller.signal});
    end(world);
    await checkEnd(first, code);
    assert.deepEqual(await stream.next(), {done: true, value: undefined});
  }
});

test('a slow loop ends too: after what waits for it', async () => {
  for (const [end, code] of ENDS) {
    const world = makeOpen();
    world.controller = new AbortController();
    const stream = await beginSlowly(world, {signal: world.controller.signal});
    end(world);
    for (let i = 2; i <= WAITING_MAX + 1; ++i) assert.equal((await stream.next()).value.message, i);
    await checkEnd(stream.next(), code);
    assert.equal(world.socket().commands('add_group').length, 1);
  }
});

test('a loop that begins after close() ends, and one after a refusal throws', async () => {
  for (const [end, code] of [ENDS[1], ENDS[2]]) {
    const world = makeOpen();
    const stream = world.client.group('a');
    end(world);
    await checkEnd(stream.next(), code);
  }
});

test('the group of a loop cannot be joined, also while the loop is slow', async () => {
  const world = makeOpen();
  const {stream, first} = await begin(world, 0);
  await assert.rejects(world.client.join('a', () => {}), TypeError);
  fill(world, 1, WAITING_MAX + 1);
  await first;
  await assert.rejects(world.client.join('a', () => {}), TypeError);
  const left = stream.return();
  await settled();
  world.socket().reply('leave_group', {group_id: 'a'});
  await left;
  await joined(world, 'a', {epoch: EPOCH, offset: 1});
});

test('a slow loop takes what waits before it joins again, also over a reconnect', async () => {
  const world = makeOpen();
  const stream = await beginSlowly(world);
  reconnect(world);
  assert.deepEqual(world.socket().commands('add_group'), []);
  for (let i = 2; i <= WAITING_MAX + 1; ++i) await stream.next();
  stream.next();
  assert.deepEqual(world.socket().last('add_group').since, {epoch: EPOCH, offset: WAITING_MAX + 1});
});

test('a join that is refused makes the loop throw', async () => {
  const world = makeOpen();
  const stream = world.client.group('a');
  const first = stream.next();
  await settled();
  world.socket().fail('add_group', 'forbidden', false);
  await assert.rejects(first, {code: 'forbidden'});
  assert.deepEqual(await stream.next(), {done: true, value: undefined});
});

test('what came before the end is still given', async () => {
  const world = makeOpen();
  const {stream, first} = await begin(world, 1);
  for (let i = 2; i <= 4; ++i) world.socket().message('a', i, i, i - 1);
  await first;
  world.client.close();
  assert.equal((await stream.next()).value.message, 3);
  assert.equal((await stream.next()).value.message, 4);
  assert.equal((await stream.next()).done, true);
});

test('a group that the client is in already cannot be iterated', async () => {
  const world = makeOpen();
  const log = await joined(world, 'a', {epoch: EPOCH, offset: 1});
  await assert.rejects(world.client.group('a').next(), TypeError);
  world.socket().message('a', 'x', 2, 1);
  assert.deepEqual(log, [['x', 2]], 'the membership is as it was');
});
