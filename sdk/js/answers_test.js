'use strict';

// groupcast.js: the promises that its methods return, and signals that end them.

const assert = require('node:assert/strict');
const child_process = require('node:child_process');
const events = require('node:events');
const path = require('node:path');
const test = require('node:test');
const {isError, joined, make, makeOpen, reconnect, settled} = require('./fakes.js');

// Runs a program of its own. Its WebSocket never opens.
function run(program) {
  return child_process.spawnSync(process.execPath, ['-e', `
    const {Client, GroupcastError} = require(${JSON.stringify(path.join(__dirname, 'groupcast.js'))});
    const client = new Client('ws://here', {WebSocket: class { close() {} }});
    ${program}`], {encoding: 'utf8'});
}

// What the client tells once the application had its time to look at the promise.
async function toldErrors(world) {
  await settled();
  world.timers.advance(0);
  return world.errors.map(({code, groupId}) => [code, groupId]);
}

test('a program that awaits nothing ends well', () => {
  const {status, stdout, stderr} = run(`
    client.join('123', () => {});
    client.history('123');
    client.members('123');
    client.leave('123');
    client.close();
    client.send('123', 'too late');
    setTimeout(() => console.log('still here'), 10);`);
  assert.deepEqual([status, stdout], [0, 'still here\n'], stderr);
  assert.match(stderr, /closed by close/, 'that nothing was sent is told');
});

test('a mistake in the program is an uncaught error', () => {
  const {status, stderr} = run(`client.join('123');`);
  assert.equal(status, 1);
  assert.match(stderr, /onMessage must be a function/);
});

test('what nobody looks at is told on error', async () => {
  const world = makeOpen();
  world.client.send('a', 'x');
  world.socket().fail('send_to_group', 'forbidden', false);
  assert.deepEqual(await toldErrors(world), [['forbidden', 'a']]);
});

test('what somebody looks at is not', async () => {
  const world = makeOpen();
  const looks = [
    (promise) => promise.catch(() => {}),
    (promise) => promise.then(() => {}, () => {}),
    (promise) => promise.finally(() => {}).catch(() => {}),
    async (promise) => { try { await promise; } catch { /* looked at */ } },
    (promise) => Promise.all([promise]).catch(() => {}),
    (promise) => Promise.resolve(promise).catch(() => {}),
  ];
  for (const look of looks) {
    const send = world.client.send('a', 'x');
    world.socket().fail('send_to_group', 'forbidden', false);
    look(send);
  }
  assert.deepEqual(await toldErrors(world), []);
});

test('the application knows of its own leave() and close()', async () => {
  const world = make();
  world.client.join('a', () => {});
  world.client.leave('a');
  world.client.join('b', () => {});
  world.client.close();
  assert.deepEqual(await toldErrors(world), []);
});

test('a signal withdraws a send that was not written', async () => {
  const world = make();
  const controller = new AbortController();
  const send = world.client.send('a', 'x', {signal: controller.signal});
  controller.abort(new Error('too slow'));
  await assert.rejects(send, /too slow/);
  world.socket().welcome();
  assert.deepEqual(world.socket().sent, []);
  await assert.rejects(world.client.send('a', 'x', {signal: controller.signal}), /too slow/, 'it has aborted already');
  assert.deepEqual(world.socket().sent, []);
});

test('a send that was written has an unknown outcome when its signal aborts, and is not repeated', async () => {
  const world = makeOpen();
  const controller = new AbortController();
  const send = world.client.send('a', 'x', {signal: controller.signal});
  controller.abort();
  await assert.rejects(send, isError('outcome_unknown', false));
  world.socket().reply('send_to_group', {group_id: 'a', epoch: 'e', offset: 1});
  reconnect(world);
  assert.deepEqual(world.socket().sent, []);
});

test('a signal leaves the group, before the join is answered and after it', async () => {
  const world = makeOpen();
  const early = new AbortController();
  const join = world.client.join('a', () => {}, {signal: early.signal});
  early.abort(new Error('too slow'));
  await assert.rejects(join, /too slow/);
  assert.equal(world.socket().last('leave_group').group_id, 'a');

  const late = new AbortController();
  let end = null;
  const onEnd = (error) => { end = error; };
  const log = await joined(world, 'b', {epoch: 'e', offset: 1}, {signal: late.signal, onEnd});
  late.abort(new Error('enough'));
  assert.equal(world.socket().last('leave_group').group_id, 'b');
  world.socket().message('b', 'x', 2, 1);
  assert.deepEqual(log, []);
  assert.match(end.message, /enough/);
});

test('a signal of a membership that was left does not end the next one', async () => {
  const world = makeOpen();
  const controller = new AbortController();
  await joined(world, 'a', {epoch: 'e', offset: 1}, {signal: controller.signal});
  world.client.leave('a');
  const log = await joined(world, 'a', {epoch: 'e', offset: 1});
  controller.abort();
  world.socket().message('a', 'x', 2, 1);
  assert.deepEqual(log, [['x', 2]]);
});

test('a signal ends reads, and makes room for others', async () => {
  const world = make();
  const controller = new AbortController();
  events.setMaxListeners(200, controller.signal);
  const reads = Array.from({length: 64}, () => [
    world.client.history('a', {signal: controller.signal}), world.client.members('a', {signal: controller.signal}),
  ]).flat();
  await assert.rejects(world.client.history('a'), isError('queue_full', true));
  controller.abort(new Error('enough'));
  for (const read of reads) await assert.rejects(read, /enough/);
  world.socket().welcome();
  assert.deepEqual(world.socket().sent, []);
  world.client.history('a');
  assert.equal(world.socket().sent.length, 1);
});

test('a signal closes the client', () => {
  const controller = new AbortController();
  const world = makeOpen({signal: controller.signal});
  controller.abort();
  assert.equal(world.client.state, 'closed');
  assert.throws(() => make({signal: controller.signal}), /abort/i);
});

test('a signal is not held by what has settled', async () => {
  const world = makeOpen();
  let listeners = 0;
  const {signal} = new AbortController();
  const counted = {
    throwIfAborted: () => signal.throwIfAborted(),
    addEventListener: () => ++listeners,
    removeEventListener: () => --listeners,
  };
  const sends = [world.client.send('a', 'x', {signal: counted}), world.client.send('a', 'y', {signal: counted})];
  const [x, y] = world.socket().commands('send_to_group');
  const read = world.client.history('a', {signal: counted});
  await joined(world, 'b', {epoch: 'e', offset: 1}, {signal: counted});
  assert.equal(listeners, 4);
  world.socket().hear({event: 'reply', id: x.id, group_id: 'a', epoch: 'e', offset: 1});
  world.socket().hear({event: 'error', id: y.id, code: 'forbidden', message: 'because', retry: false});
  world.socket().reply('group_history', {group_id: 'a', epoch: 'e', offset: 1, messages: []});
  world.client.leave('b');
  await Promise.allSettled([...sends, read]);
  assert.equal(listeners, 0);
});
