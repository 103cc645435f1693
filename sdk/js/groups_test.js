'use strict';

// groupcast.js: what a member gets, over reconnects too.

const assert = require('node:assert/strict');
const test = require('node:test');
const {isError, joined, make, makeOpen, reconnect} = require('./fakes.js');

test('join, send and leave resolve with the server\'s answers', async () => {
  const world = makeOpen();
  const log = [];
  const join = world.client.join(123, (message, info) => log.push([message, info]));
  assert.equal(world.socket().last('add_group').group_id, '123');
  world.socket().reply('add_group', {group_id: '123', epoch: 'e', offset: 7});
  assert.deepEqual(await join, {epoch: 'e', offset: 7, recovered: true});

  const send = world.client.send('123', {text: 'مرحبا'});
  const {id, key, ...command} = world.socket().last('send_to_group');
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

test('a reconnect continues where the member was', async () => {
  const world = makeOpen();
  const log = await joined(world, 'a', {epoch: 'e', offset: 10});
  world.socket().message('a', 'one', 11, 10);
  reconnect(world);
  assert.deepEqual(world.socket().last('add_group').since, {epoch: 'e', offset: 11});
  world.socket().message('a', 'before the reply: of no use', 12, 11);
  world.socket().reply('add_group', {group_id: 'a', epoch: 'e', offset: 11, recovered: true});
  world.socket().message('a', 'missed', 12, 11);
  world.socket().message('a', 'live', 13, 12);
  assert.deepEqual(log, [['one', 11], ['recovered', 11], ['missed', 12], ['live', 13]]);
});

test('a recovery drops what was seen already, and tells what the server leaves out', async () => {
  const world = makeOpen();
  const log = await joined(world, 'a', {epoch: 'e', offset: 10});
  world.socket().message('a', 'one', 11, 10);
  reconnect(world);
  world.socket().reply('add_group', {group_id: 'a', epoch: 'e', offset: 11, recovered: true});
  world.socket().message('a', 'below', 10, 9);
  world.socket().message('a', 'one', 11, 10);
  world.socket().excluded('a', 11, 10);
  world.socket().message('a', 'two', 12, 11);
  world.socket().message('a', 'two', 12, 11);
  world.socket().message('a', 'four', 14, 13);
  assert.deepEqual(log, [
    ['one', 11], ['recovered', 11], ['two', 12], {groupId: 'a', epoch: 'e', from: 12, to: 13}, ['four', 14],
  ]);
});

test('a reply that speaks of an earlier position does not bring back what was seen', async () => {
  const world = makeOpen();
  const log = await joined(world, 'a', {epoch: 'e', offset: 10});
  world.socket().message('a', 'one', 11, 10);
  reconnect(world);
  world.socket().reply('add_group', {group_id: 'a', epoch: 'e', offset: 10, recovered: true});
  world.socket().message('a', 'one', 11, 10);
  world.socket().message('a', 'two', 12, 11);
  assert.deepEqual(log, [['one', 11], ['recovered', 11], ['two', 12]]);
});

test('what is lost is told: by a rejoin, a gap event, a new epoch, a hole', async () => {
  const world = makeOpen();
  const log = await joined(world, 'a', {epoch: 'e', offset: 10});
  reconnect(world);
  world.socket().reply('add_group', {group_id: 'a', epoch: 'e', offset: 15, recovered: false});
  world.socket().gap('a', 'e', 15, 17);
  world.socket().message('a', 'x', 18, 17);
  world.socket().gap('a', 'f', null, 2);
  world.socket().message('a', 'y', 3, 2);
  world.socket().message('a', 'z', 9, 8);
  reconnect(world);
  assert.deepEqual(world.socket().last('add_group').since, {epoch: 'f', offset: 9});
  world.socket().reply('add_group', {group_id: 'a', epoch: 'g', offset: 1, recovered: false});
  world.socket().message('a', 'last', 2, 1);
  const gap = (epoch, from, to) => ({groupId: 'a', epoch, from, to});
  assert.deepEqual(log, [
    gap('e', 10, 15), gap('e', 15, 17), ['x', 18], gap('f', null, 2), ['y', 3], gap('f', 3, 8), ['z', 9],
    gap('g', null, 1), ['last', 2],
  ]);
});

test('the position after a loss is the server\'s, also if it is a lower one', async () => {
  const world = makeOpen();
  const log = await joined(world, 'a', {epoch: 'e', offset: 10});
  reconnect(world);
  world.socket().reply('add_group', {group_id: 'a', epoch: 'e', offset: 4, recovered: false});
  world.socket().message('a', 'x', 5, 4);
  assert.deepEqual(log, [{groupId: 'a', epoch: 'e', from: null, to: 4}, ['x', 5]]);
});

test('a reply beyond the position is a loss, whatever it says', async () => {
  const world = makeOpen();
  const log = await joined(world, 'a', {epoch: 'e', offset: 10});
  reconnect(world);
  world.socket().reply('add_group', {group_id: 'a', epoch: 'e', offset: 12, recovered: true});
  world.socket().message('a', 'x', 13, 12);
  assert.deepEqual(log, [{groupId: 'a', epoch: 'e', from: 10, to: 12}, ['x', 13]]);
});

test('an answer of another epoch is a loss, whatever it says', async () => {
  const world = makeOpen();
  const log = await joined(world, 'a', {epoch: 'e', offset: 10});
  reconnect(world);
  world.socket().reply('add_group', {group_id: 'a', epoch: 'f', offset: 10, recovered: true});
  assert.deepEqual(log, [{groupId: 'a', epoch: 'f', from: null, to: 10}]);
});

test('a gap that a member has no loss by is not told', async () => {
  const world = makeOpen();
  const log = await joined(world, 'a', {epoch: 'e', offset: 10});
  world.socket().gap('a', 'e', 5, 8);
  world.socket().message('a', 'again', 9, 8);
  world.socket().message('a', 'x', 12, 10);
  assert.deepEqual(log, [['x', 12]]);
});

test('a gap without a beginning, and a message that steps over the position, belong to another history', async () => {
  const world = makeOpen();
  const log = await joined(world, 'a', {epoch: 'e', offset: 10});
  world.socket().gap('a', 'e', null, 8);
  world.socket().message('a', 'x', 9, 8);
  world.socket().message('a', 'y', 12, 7);
  const gap = (to) => ({groupId: 'a', epoch: 'e', from: null, to});
  assert.deepEqual(log, [gap(8), ['x', 9], gap(7), ['y', 12]]);
});

test('a gap during a recovery is told, and the recovery goes on after it', async () => {
  const world = makeOpen();
  const log = await joined(world, 'a', {epoch: 'e', offset: 10});
  reconnect(world);
  world.socket().reply('add_group', {group_id: 'a', epoch: 'e', offset: 10, recovered: true});
  world.socket().message('a', 'x', 11, 10);
  world.socket().gap('a', 'e', 11, 20);
  world.socket().message('a', 'y', 21, 20);
  assert.deepEqual(log,
      [['recovered', 10], ['x', 11], {groupId: 'a', epoch: 'e', from: 11, to: 20}, ['y', 21]]);
  reconnect(world);
  assert.deepEqual(world.socket().last('add_group').since, {epoch: 'e', offset: 21});
});

test('a connection that breaks during a recovery loses nothing: the next one continues', async () => {
  const world = makeOpen();
  const log = await joined(world, 'a', {epoch: 'e', offset: 10});
  reconnect(world);
  assert.deepEqual(world.socket().last('add_group').since, {epoch: 'e', offset: 10});
  reconnect(world);  // before the reply
  assert.deepEqual(world.socket().last('add_group').since, {epoch: 'e', offset: 10});
  world.socket().reply('add_group', {group_id: 'a', epoch: 'e', offset: 10, recovered: true});
  world.socket().message('a', 'x', 11, 10);
  reconnect(world);
  assert.deepEqual(world.socket().last('add_group').since, {epoch: 'e', offset: 11});
  world.socket().reply('add_group', {group_id: 'a', epoch: 'e', offset: 11, recovered: true});
  world.socket().message('a', 'y', 12, 11);
  assert.deepEqual(log, [['recovered', 10], ['x', 11], ['recovered', 11], ['y', 12]]);
});

test('messages of this session that exclude it move the position and are not shown', async () => {
  const world = makeOpen();
  const log = await joined(world, 'a', {epoch: 'e', offset: 10});
  world.socket().excluded('a', 11, 10);
  world.socket().message('a', 'x', 12, 11);
  world.socket().excluded('a', 15, 14);
  reconnect(world);
  assert.deepEqual(world.socket().last('add_group').since, {epoch: 'e', offset: 15});
  assert.deepEqual(log, [['x', 12], {groupId: 'a', epoch: 'e', from: 12, to: 14}]);
});

test('the acknowledgement of a send does not move the position', async () => {
  const world = makeOpen();
  const log = await joined(world, 'a', {epoch: 'e', offset: 10});
  world.client.send('a', 'mine');
  world.socket().reply('send_to_group', {group_id: 'a', epoch: 'e', offset: 12});
  world.socket().message('a', 'earlier', 11, 10);
  world.socket().message('a', 'mine', 12, 11);
  assert.deepEqual(log, [['earlier', 11], ['mine', 12]]);
});

test('a group that is left during its recovery is told nothing more, and a new join begins anew', async () => {
  const world = makeOpen();
  const old = await joined(world, 'a', {epoch: 'e', offset: 10});
  reconnect(world);
  world.socket().reply('add_group', {group_id: 'a', epoch: 'e', offset: 10, recovered: true});
  world.socket().message('a', 'x', 11, 10);
  world.client.leave('a');
  world.socket().message('a', 'y', 12, 11);
  const log = [];
  world.client.join('a', (message) => log.push(message), {onGap: (gap) => log.push(gap)});
  assert.deepEqual(world.socket().sent.map(({cmd, since}) => [cmd, since]),
      [['add_group', {epoch: 'e', offset: 10}], ['leave_group', undefined], ['add_group', undefined]]);
  world.socket().message('a', 'z', 13, 12);
  world.socket().gap('a', 'e', 13, 14);
  world.socket().reply('leave_group', {group_id: 'a'});
  world.socket().reply('add_group', {group_id: 'a', epoch: 'e', offset: 20});
  world.socket().message('a', 'new', 21, 20);
  assert.deepEqual(old, [['recovered', 10], ['x', 11]]);
  assert.deepEqual(log, ['new']);
});

test('a join may continue from a position of an earlier run', async () => {
  const since = {epoch: '5f0c2ab3d1e94477', offset: 10};
  const world = makeOpen();
  const asked = Object.assign({}, since);
  const log = [];
  const join = world.client.join('a', (message) => log.push(message), {since: asked, onGap: (gap) => log.push(gap)});
  asked.offset = 99;  // the caller's own
  assert.deepEqual(world.socket().last('add_group').since, since);
  reconnect(world);  // before the reply
  assert.deepEqual(world.socket().last('add_group').since, since);
  world.socket().reply('add_group', Object.assign({group_id: 'a', recovered: true}, since));
  assert.deepEqual(await join, Object.assign({recovered: true}, since));
  world.socket().message('a', 'x', 11, 10);
  assert.deepEqual(log, ['x']);

  const lost = world.client.join('b', () => {}, {since, onGap: (gap) => log.push(gap)});
  world.socket().reply('add_group', {group_id: 'b', epoch: since.epoch, offset: 70, recovered: false});
  assert.deepEqual(await lost, {epoch: since.epoch, offset: 70, recovered: false});
  assert.deepEqual(log[1], {groupId: 'b', epoch: since.epoch, from: 10, to: 70});
});

test('a first join that is put off is tried again, also by the next connection; a refused one is told', async () => {
  const world = makeOpen();
  const since = {epoch: '5f0c2ab3d1e94477', offset: 10};
  const join = world.client.join('a', () => {}, {since});
  world.socket().fail('add_group', 'unavailable', true);
  world.timers.advance(50);
  assert.deepEqual(world.socket().commands('add_group').map((command) => command.since), [since, since]);
  world.socket().fail('add_group', 'unavailable', true);
  reconnect(world);
  world.socket().reply('add_group', Object.assign({group_id: 'a', recovered: true}, since));
  assert.deepEqual(await join, Object.assign({recovered: true}, since));

  const refused = world.client.join('b', () => {});
  world.socket().fail('add_group', 'too_many_groups', false);
  await assert.rejects(refused, isError('too_many_groups', false));
  assert.deepEqual(world.errors, []);
  reconnect(world);
  assert.deepEqual(world.socket().sent.map((command) => command.group_id), ['a']);
});

test('a newcomer may ask for the recent messages, once', async () => {
  const world = makeOpen();
  const log = [];
  world.client.join('a', (message) => log.push(message), {
    history: 20, onGap: (gap) => log.push(gap), onRecovered: () => log.push('recovered'),
  });
  assert.equal(world.socket().last('add_group').history, 20);
  reconnect(world);  // before the reply: nothing was shown yet
  assert.equal(world.socket().last('add_group').history, 20);
  world.socket().reply('add_group', {group_id: 'a', epoch: 'e', offset: 8});
  world.socket().message('a', 'x', 9, 8);
  world.socket().message('a', 'y', 10, 9);
  reconnect(world);
  const {since, history} = world.socket().last('add_group');
  assert.deepEqual([since, history], [{epoch: 'e', offset: 10}, undefined]);
  assert.deepEqual(log, ['x', 'y']);
});

test('a join is asked for either since or history, and for positions only that there can be', async () => {
  const world = makeOpen();
  const since = {epoch: '5f0c2ab3d1e94477', offset: 10};
  for (const options of [
    {since, history: 1},
    {since: {epoch: 'e', offset: 1}},
    {since: {epoch: since.epoch, offset: -1}},
    {since: {epoch: since.epoch, offset: 1.5}},
    {since: {epoch: since.epoch}},
    {since: 10},
  ]) {
    await assert.rejects(world.client.join('a', () => {}, options), TypeError);
  }
  await assert.rejects(world.client.history('a', {since: 10}), TypeError);
  assert.deepEqual(world.socket().sent, []);
  await joined(world, 'a', {epoch: 'e', offset: 1}, {since: null, history: 0});
  assert.equal(world.socket().last('add_group').history, 0);
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
  assert.deepEqual(world.socket().last('add_group').since, {epoch: 'e', offset: 1});
  world.socket().reply('add_group', {group_id: 'a', epoch: 'e', offset: 1, recovered: true});
  world.socket().message('a', 'x', 2, 1);
  assert.deepEqual(log, [['recovered', 1], ['x', 2]]);

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
  world.socket().reply('add_group', {group_id: 'a', epoch: 'e', offset: 5, recovered: false});
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
  assert.deepEqual(await join, {epoch: 'e', offset: 1, recovered: true});
  assert.deepEqual(await again, {epoch: 'e', offset: 1, recovered: true});
  world.socket().message('a', 'x', 2, 1);
  assert.deepEqual(await world.client.join('a', (message) => log.push(message + '!'), {history: 5}),
      {epoch: 'e', offset: 2, recovered: true});
  assert.equal(world.socket().commands('add_group').length, 1);
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

test('an onEnd that throws harms nobody else, and its error is not swallowed', async () => {
  const fail = () => { throw new Error('of the application'); };
  const closed = makeOpen();
  const ended = [];
  await joined(closed, 'a', {epoch: 'e', offset: 1}, {onEnd: fail});
  await joined(closed, 'b', {epoch: 'e', offset: 1}, {onEnd: ({code}) => ended.push(code)});
  const read = closed.client.history('a');
  closed.client.close();
  await assert.rejects(read, isError('closed', false));
  assert.deepEqual(ended, ['closed']);
  assert.deepEqual(closed.states.pop(), {state: 'closed'});
  assert.throws(() => closed.timers.advance(0), /of the application/);

  const expelled = makeOpen();
  await joined(expelled, 'a', {epoch: 'e', offset: 1}, {onEnd: fail});
  expelled.socket().hear({
    event: 'error', cmd: 'add_group', group_id: 'a', code: 'forbidden', message: 'taken away', retry: false,
  });
  assert.deepEqual(expelled.errors.map(({code}) => code), ['forbidden']);
  assert.throws(() => expelled.timers.advance(0), /of the application/);
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

test('history reads a group without joining it', async () => {
  const world = makeOpen();
  const since = {epoch: '5f0c2ab3d1e94477', offset: 10};
  const history = world.client.history(7, {since, limit: 5});
  const {id, ...command} = world.socket().last('group_history');
  assert.deepEqual(command, {cmd: 'group_history', group_id: '7', since, limit: 5});
  world.socket().reply('group_history', {
    group_id: '7', epoch: since.epoch, offset: 14, recovered: true, messages: [
      {message: {n: 1}, offset: 11, previous: 10, sent_at: 5},
      {offset: 12, previous: 11, excluded: true},
      {message: null, offset: 14, previous: 12, sent_at: 6},
    ],
  });
  const about = {groupId: '7', epoch: since.epoch};
  assert.deepEqual(await history, Object.assign({
    offset: 14, recovered: true, messages: [
      Object.assign({message: {n: 1}, offset: 11, sentAt: 5}, about),
      Object.assign({message: null, offset: 14, sentAt: 6}, about),
    ],
  }, about));

  const plain = world.client.history('a');
  const {id: _, ...asked} = world.socket().last('group_history');
  assert.deepEqual(asked, {cmd: 'group_history', group_id: 'a'});
  world.socket().reply('group_history', {group_id: 'a', epoch: 'e', offset: 0, messages: []});
  assert.deepEqual(await plain, {groupId: 'a', epoch: 'e', offset: 0, recovered: false, messages: []});

  const failing = world.client.history('a', {limit: -1});
  world.socket().fail('group_history', 'bad_json', false);
  await assert.rejects(failing, isError('bad_json', false));
  reconnect(world);
  assert.deepEqual(world.socket().sent, [], 'all were answered');
});

test('history waits for a connection, is asked again on the next one, and is bounded', async () => {
  const world = make();
  const histories = Array.from({length: 128}, (_, i) => world.client.history(i));
  await assert.rejects(world.client.history('a'), isError('queue_full', true));
  world.socket().welcome();
  reconnect(world);
  const asked = world.socket().commands('group_history');
  assert.deepEqual(asked.map((command) => command.group_id), Array.from({length: 128}, (_, i) => String(i)));
  for (const {id} of asked) world.socket().hear({event: 'reply', id, epoch: 'e', offset: id, messages: []});
  assert.deepEqual((await Promise.all(histories)).map(({offset}) => offset), asked.map(({id}) => id));
  world.client.history('a');
  assert.equal(world.socket().last('group_history').group_id, 'a', 'there is room again');
});

test('a leave that the server postpones is tried again, until it is done or the group is joined again', async () => {
  const world = makeOpen();
  for (const joinsAgain of [false, true]) {
    await joined(world, 'a', {epoch: 'e', offset: 7});
    world.socket().sent = [];
    const left = world.client.leave('a');
    world.socket().fail('leave_group', 'rate_limited', true);
    if (joinsAgain) world.client.join('a', () => {});
    world.timers.advance(1000);
    assert.equal(world.socket().commands('leave_group').length, joinsAgain ? 1 : 2);
    if (!joinsAgain) world.socket().reply('leave_group', {});
    await left;
  }
  world.client.leave('a');
  world.socket().fail('leave_group', 'rate_limited', true);
  world.client.close();
  world.timers.advance(1000);
  assert.equal(world.timers.timers.size, 0, 'the program can end within a second');
});

test('a leave that the server refuses rejects', async () => {
  const world = makeOpen();
  await joined(world, 'a', {epoch: 'e', offset: 7});
  const left = world.client.leave('a');
  world.socket().fail('leave_group', 'internal', false);
  await assert.rejects(left, isError('internal', false));
});
