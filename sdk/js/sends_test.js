'use strict';

// groupcast.js: what becomes of a send.

const assert = require('node:assert/strict');
const test = require('node:test');
const {isError, joined, make, makeOpen, passTime, reconnect, settled} = require('./fakes.js');

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
  world.socket().fail('add_group', 'too_many_groups', false);
  await assert.rejects(join, isError('too_many_groups', false));
  reconnect(world);
  assert.deepEqual(world.socket().commands('add_group'), [], 'a join that failed is not repeated');
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

test('what waits for a connection is bounded in bytes, and keeps waiting', async () => {
  const world = make({sendQueueBytesMax: 500});
  let refused = null;
  while (refused === null) {
    // Each is a little below 125 bytes, with two bytes for a letter.
    world.client.send('a', 'ل'.repeat(20)).catch((error) => { refused = error; });
    await settled();
  }
  isError('queue_full', true)(refused);
  world.socket().welcome();
  const sent = world.socket().commands('send_to_group');
  assert.equal(sent.length, 4);
  const bytes = sent.reduce((sum, command) => sum + Buffer.byteLength(JSON.stringify(command)), 0);
  assert.ok(bytes <= 500 && bytes + bytes / sent.length > 500, bytes + ' bytes were let in');
});

test('what was written and has no answer is bounded in the same way', async () => {
  const world = makeOpen({sendQueueBytesMax: 200});
  const first = world.client.send('a', 'x'.repeat(80));
  await assert.rejects(world.client.send('a', 'x'.repeat(80)), isError('queue_full', true));
  world.socket().reply('send_to_group', {group_id: 'a', epoch: 'e', offset: 1});
  await first;
  world.client.send('a', 'x'.repeat(80));
  assert.equal(world.socket().commands('send_to_group').length, 2);
});

test('a command over the server\'s frame limit is not written', async () => {
  const world = make();
  const send = world.client.send('a', 'x'.repeat(200));
  world.socket().welcome({limits: {frame_bytes: 200}});
  await assert.rejects(send, isError('message_too_large', false));
  assert.deepEqual(world.socket().sent, []);
});

test('nothing is lost in a socket that is closing', async () => {
  const world = makeOpen();
  world.socket().readyState = 2;
  const send = world.client.send('a', 'x');
  reconnect(world);
  world.socket().reply('send_to_group', {group_id: 'a', epoch: 'e', offset: 2});
  assert.equal((await send).offset, 2);
});

test('close rejects what waits, by what is known of it, and is final', async () => {
  const world = makeOpen();
  const putOff = world.client.send('a', 'x');
  world.socket().fail('send_to_group', 'unavailable', true);
  const written = world.client.send('a', 'x');
  const joining = world.client.join('a', () => {});
  const reading = world.client.history('a');
  await joined(world, 'b', {epoch: 'e', offset: 1});
  const leaving = world.client.leave('b');
  world.client.close();
  await leaving;  // by the end of the connection
  await assert.rejects(putOff, isError('closed', false));
  await assert.rejects(written, isError('outcome_unknown', false));
  await assert.rejects(joining, isError('closed', false));
  await assert.rejects(reading, isError('closed', false));
  await assert.rejects(world.client.send('a', 'x'), isError('closed', false));
  await assert.rejects(world.client.join('a', () => {}), isError('closed', false));
  await assert.rejects(world.client.history('a'), isError('closed', false));
  assert.ok(world.socket().closed);
  assert.equal(world.client.state, 'closed');
  world.timers.advance(0);
  assert.equal(world.timers.timers.size, 0);
  assert.deepEqual(world.errors, [], 'the application looked at all of them');

  const unconnected = make();
  const queued = unconnected.client.send('a', 'x');
  unconnected.client.close();
  await assert.rejects(queued, isError('closed', false));

  const cutOff = makeOpen();
  const inDoubt = cutOff.client.send('a', 'x');
  cutOff.socket().breakDown(1006);
  cutOff.client.close();
  await assert.rejects(inDoubt, isError('outcome_unknown', false));
  assert.equal(cutOff.timers.timers.size, 0);
});

test('every send has a key of its own, also among clients of one session', () => {
  const keys = [];
  for (const world of [makeOpen({session: 's'}), makeOpen({session: 's'})]) {
    for (let i = 0; i < 3; ++i) world.client.send('a', i);
    keys.push(...world.socket().commands('send_to_group').map(({key}) => key));
  }
  assert.equal(new Set(keys).size, 6);
  for (const key of keys) assert.match(key, /^[0-9a-f]{16}-[0-9]+$/);
});

test('exclude_self is asked for by send', () => {
  const world = makeOpen();
  world.client.send('a', 'x', {excludeSelf: true});
  world.client.send('a', 'y');
  const [x, y] = world.socket().commands('send_to_group');
  assert.equal(x.exclude_self, true);
  assert.ok(!('exclude_self' in y));
});

test('sends without an answer are repeated after the joins, as they were and in their order', async () => {
  const world = makeOpen();
  await joined(world, 'a', {epoch: 'e', offset: 1});
  const sends = [world.client.send('a', 'answered'), world.client.send('a', 'x'), world.client.send('b', 'y')];
  const [answered, ...inFlight] = world.socket().commands('send_to_group');
  world.socket().hear({event: 'reply', id: answered.id, group_id: 'a', epoch: 'e', offset: 2});
  world.socket().breakDown(1006);
  sends.push(world.client.send('a', 'z'));
  world.timers.advance(10000);
  world.socket().welcome();
  const [join, ...repeated] = world.socket().sent;
  assert.equal(join.cmd, 'add_group');
  assert.deepEqual(repeated.slice(0, 2), inFlight);
  assert.deepEqual(repeated.map(({message}) => message), ['x', 'y', 'z']);
  repeated.forEach(({id}, i) => world.socket().hear({event: 'reply', id, group_id: 'a', epoch: 'e', offset: 3 + i}));
  assert.deepEqual((await Promise.all(sends)).map(({offset}) => offset), [2, 3, 4, 5]);
  reconnect(world);
  assert.deepEqual(world.socket().commands('send_to_group'), []);
});

// A client that comes back must not ask for more answers at once than the server queues for it.
test('a thousand sends are written and not answered at a time', async () => {
  const world = makeOpen();
  const sends = [];
  for (let i = 0; i < 1002; i++) sends.push(world.client.send('a', i));
  const written = () => world.socket().commands('send_to_group').map(({message}) => message);
  const answer = (i) => {
    const {id} = world.socket().commands('send_to_group').find(({message}) => message === i);
    world.socket().hear({event: 'reply', id, group_id: 'a', epoch: 'e', offset: i});
  };
  assert.equal(written().length, 1000);
  answer(7);
  assert.deepEqual(written().slice(1000), [1000]);
  reconnect(world);
  assert.equal(written().length, 1000);
  assert.ok(!written().includes(7));
  for (let i = 0; i < 1002; i++) {
    if (i !== 7) answer(i);
  }
  assert.deepEqual((await Promise.all(sends)).map(({offset}) => offset), sends.map((_, i) => i));
});

test('a send is repeated over many reconnects, and a second answer to it changes nothing', async () => {
  const world = makeOpen();
  const send = world.client.send('a', 'x');
  const first = world.socket().last('send_to_group');
  for (let i = 0; i < 4; ++i) {
    reconnect(world);
    assert.deepEqual(world.socket().sent, [first]);
  }
  world.socket().reply('send_to_group', {group_id: 'a', epoch: 'e', offset: 7});
  world.socket().reply('send_to_group', {group_id: 'a', epoch: 'e', offset: 8});
  assert.deepEqual(await send, {epoch: 'e', offset: 7});
  assert.deepEqual(world.errors, []);
  passTime(world, 200000);
  assert.deepEqual(world.socket().commands('send_to_group'), [first]);
});

test('a send that is put off is repeated after pauses that double up to 2 s', async () => {
  const world = makeOpen();
  const send = world.client.send('a', 'x');
  const first = world.socket().last('send_to_group');
  let count = 1;
  for (const pause of [50, 100, 200, 400, 800, 1000, 1000]) {  // random() is 0.5
    world.socket().fail('send_to_group', 'unavailable', true);
    world.timers.advance(pause - 1);
    assert.equal(world.socket().commands('send_to_group').length, count);
    world.timers.advance(1);
    assert.equal(world.socket().commands('send_to_group').length, ++count);
  }
  assert.deepEqual(world.socket().last('send_to_group'), first);
  world.socket().reply('send_to_group', {group_id: 'a', epoch: 'e', offset: 2});
  assert.equal((await send).offset, 2);
  passTime(world, 100000);
  assert.equal(world.socket().commands('send_to_group').length, count);
});

test('a reconnect repeats a send that was put off at once, and not again when its pause ends', async () => {
  const world = makeOpen();
  world.client.send('a', 'x');
  for (let i = 0; i < 5; ++i) {
    world.socket().fail('send_to_group', 'unavailable', true);
    if (i < 4) world.timers.advance(400);
  }
  world.socket().breakDown(1006);
  world.timers.advance(50);  // its pause lasts 800 ms
  world.socket().welcome();
  assert.equal(world.socket().commands('send_to_group').length, 1);
  world.timers.advance(5000);
  assert.equal(world.socket().commands('send_to_group').length, 1);
});

test('while the server drains, a send that was put off waits for the next connection', async () => {
  const world = makeOpen();
  const send = world.client.send('a', 'x');
  world.socket().hear({event: 'closing', code: 4000, reason: 'draining', reconnect_after_ms: 740});
  world.socket().fail('send_to_group', 'unavailable', true);
  world.timers.advance(5000);
  assert.equal(world.socket().commands('send_to_group').length, 1);
  reconnect(world);
  world.socket().reply('send_to_group', {group_id: 'a', epoch: 'e', offset: 2});
  assert.equal((await send).offset, 2);
});

// Sends, and calls `refuse` on each transmission until the client gives up. Resolves with the error, and checks that
// it came 75 s after the first transmission.
async function outcomeOf(world, refuse) {
  let error = null;
  world.client.send('a', 'x').catch((reason) => { error = reason; });
  const begin = world.timers.now();
  let refused = 0;
  while (error === null) {
    const transmissions = world.socket().commands('send_to_group');
    if (transmissions.length > refused) {
      refuse(refused);
      refused = world.socket().commands('send_to_group').length;
    }
    world.timers.advance(25);
    world.socket().hear({event: 'something of a later version'});
    await settled();
    assert.ok(world.timers.now() - begin <= 75025, 'it gives up');
  }
  assert.ok(world.timers.now() - begin >= 75000, 'it does not give up early');
  assert.ok(refused > 30, 'it tried on');
  return error;
}

test('a send that is unavailable for 75 s was certainly not done', async () => {
  const world = makeOpen();
  const error = await outcomeOf(world, () => world.socket().fail('send_to_group', 'unavailable', true));
  isError('unavailable', true)(error);
  assert.equal(error.groupId, 'a');
  const before = world.socket().commands('send_to_group').length;
  passTime(world, 10000);
  assert.equal(world.socket().commands('send_to_group').length, before);
  reconnect(world);
  assert.deepEqual(world.socket().sent, [], 'after that it is never repeated');
});

test('one transmission without a certain answer leaves the outcome unknown, whatever comes after it', async () => {
  for (const code of ['outcome_unknown', 'internal', 'a_word_of_a_later_version']) {
    const world = makeOpen();
    const error = await outcomeOf(world,
        (n) => world.socket().fail('send_to_group', n === 3 ? code : 'unavailable', true));
    isError('outcome_unknown', false)(error);
    assert.equal(error.groupId, 'a');
  }
});

test('a broken connection leaves the outcome unknown, until an answer comes', async () => {
  const world = makeOpen();
  const unlucky = world.client.send('a', 'x');
  const refused = world.client.send('a', 'y');
  const lucky = world.client.send('a', 'z');
  reconnect(world);
  const [x, y, z] = world.socket().commands('send_to_group');
  const fail = ({id}, code, retry) => world.socket().hear({event: 'error', id, code, message: 'because', retry});
  fail(x, 'unavailable', true);
  fail(y, 'message_too_large', false);
  fail(z, 'unavailable', true);
  await assert.rejects(refused, isError('outcome_unknown', false));
  world.timers.advance(50);
  world.socket().hear({event: 'reply', id: z.id, group_id: 'a', epoch: 'e', offset: 2});
  assert.equal((await lucky).offset, 2);
  passTime(world, 75000);
  await assert.rejects(unlucky, isError('outcome_unknown', false));
});

test('a refusal that permits no other try ends a send at once', async () => {
  const world = makeOpen();
  const send = world.client.send('a', 'x');
  world.socket().fail('send_to_group', 'unavailable', true);
  world.timers.advance(50);
  world.socket().fail('send_to_group', 'message_too_large', false);
  await assert.rejects(send, isError('message_too_large', false));
  passTime(world, 10000);
  assert.equal(world.socket().commands('send_to_group').length, 2);
});

test('a send without any answer for 75 s is of unknown outcome; an answer after that is too late', async () => {
  const world = makeOpen({sendQueueBytesMax: 200});
  let outcome = null;
  world.client.send('a', 'x'.repeat(80)).catch((error) => { outcome = error; });
  passTime(world, 74999);
  await settled();
  assert.equal(outcome, null);
  world.timers.advance(1);
  await settled();
  isError('outcome_unknown', false)(outcome);
  world.socket().reply('send_to_group', {group_id: 'a', epoch: 'e', offset: 2});
  assert.deepEqual(world.errors, []);
  reconnect(world);
  assert.deepEqual(world.socket().sent, []);
  world.client.send('a', 'x'.repeat(80));
  await assert.rejects(world.client.send('a', 'x'.repeat(80)), isError('queue_full', true), 'it made no room twice');
});

test('the 75 s go on without a connection, and what is known by then is told', async () => {
  const world = makeOpen();
  const putOff = world.client.send('a', 'put off');
  world.socket().fail('send_to_group', 'unavailable', true);
  const inFlight = world.client.send('a', 'in flight');
  world.socket().breakDown(1006);
  const waiting = world.client.send('a', 'never written');
  let told = 0;
  for (const send of [putOff, inFlight, waiting]) send.catch(() => { ++told; });
  world.timers.advance(74999);
  await settled();
  assert.equal(told, 0);
  world.timers.advance(1);
  await assert.rejects(putOff, isError('unavailable', true));
  await assert.rejects(inFlight, isError('outcome_unknown', false));
  world.timers.advance(10000);
  world.socket().welcome();
  assert.deepEqual(world.socket().sent.map(({message}) => message), ['never written']);
  passTime(world, 74999);
  world.socket().reply('send_to_group', {group_id: 'a', epoch: 'e', offset: 2});
  assert.equal((await waiting).offset, 2, 'its time began when it was first written');
});

test('a computer that slept does not repeat what is too old by the clock', async () => {
  const world = makeOpen();
  const old = world.client.send('a', 'x');
  world.timers.sleep(74000);
  const young = world.client.send('a', 'y');
  world.socket().breakDown(1006);
  world.timers.sleep(1000);
  world.timers.advance(100);
  world.socket().welcome();
  await assert.rejects(old, isError('outcome_unknown', false));
  assert.deepEqual(world.socket().sent.map(({message}) => message), ['y']);
  world.socket().reply('send_to_group', {group_id: 'a', epoch: 'e', offset: 2});
  assert.equal((await young).offset, 2);
});

test('a page whose timers are late does not repeat what is too old, whatever the wall clock says', async () => {
  const world = makeOpen();
  const old = world.client.send('a', 'x');
  world.timers.freeze(80000);
  world.timers.wallTime -= 3600000;
  world.socket().breakDown(1006);
  world.timers.advance(100);
  world.socket().welcome();
  await assert.rejects(old, isError('outcome_unknown', false));
  assert.deepEqual(world.socket().sent, []);
});

test('a send that was ended while the server drains is gone, whatever the server says to it', async () => {
  for (const answer of [
    (socket) => socket.fail('send_to_group', 'unavailable', true),
    (socket) => socket.reply('send_to_group', {group_id: 'a', epoch: 'e', offset: 1}),
    (socket) => socket.breakDown(4000),
  ]) {
    const world = makeOpen({sendQueueBytesMax: 200});
    const controller = new AbortController();
    const send = world.client.send('a', 'x'.repeat(50), {signal: controller.signal});
    const draining = world.socket();
    draining.hear({event: 'closing', code: 4000, reason: 'draining', reconnect_after_ms: 740});
    controller.abort();
    await assert.rejects(send, isError('outcome_unknown', false));
    answer(draining);
    if (draining.readyState === 1) draining.breakDown(4000);
    world.timers.advance(740);
    world.socket().welcome();
    world.timers.advance(2000);
    assert.deepEqual(world.socket().commands('send_to_group'), [], 'it is not sent again');
    // The bytes count once: there is room for one more, not for two.
    world.client.send('a', 'x'.repeat(50)).catch(() => {});
    await assert.rejects(world.client.send('a', 'x'.repeat(50)), isError('queue_full', true));
  }
});

test('a send that has settled leaves nothing behind', async () => {
  const world = makeOpen();
  const before = world.timers.timers.size;
  const sends = [world.client.send('a', 'x'), world.client.send('a', 'y')];
  world.socket().fail('send_to_group', 'unavailable', true);
  world.timers.advance(50);
  for (const {id} of world.socket().commands('send_to_group').slice(0, 2)) {
    world.socket().hear({event: 'reply', id, group_id: 'a', epoch: 'e', offset: 2});
  }
  await Promise.all(sends);
  assert.equal(world.timers.timers.size, before);
});
