'use strict';

// groupcast.js: who is in a group.

const assert = require('node:assert/strict');
const test = require('node:test');
const {isError, joined, make, makeOpen, reconnect, settled} = require('./fakes.js');

const wire = (id, more) => ({connection_id: id, since: 1, ...more});
const joins = (id, more) => ({event: 'member_joined', group_id: 'a', ...wire(id, more)});
const leaves = (id) => ({event: 'member_left', group_id: 'a', connection_id: id});

// Notes each call of onMembers as [members, joined, left], by their ids.
function watch(log) {
  const ids = (members) => members.map(({connectionId}) => connectionId);
  return (members, change) => log.push([[...members.keys()].sort(), ids(change.joined), ids(change.left)]);
}

async function answerPage(world, members, next) {
  await settled();
  world.socket().reply('group_members', {group_id: 'a', count: members.length, members, next});
  await settled();
}

test('members() reads a page, or the number alone', async () => {
  const world = makeOpen();
  const page = world.client.members('a', {limit: 1, after: 'c0'});
  const {id: _, ...asked} = world.socket().last('group_members');
  assert.deepEqual(asked, {cmd: 'group_members', group_id: 'a', limit: 1, after: 'c0'});
  await answerPage(world, [wire('c1', {user: 'u', info: {n: 1}})], 'c1');
  assert.deepEqual(await page, {
    groupId: 'a', count: 1, members: [{connectionId: 'c1', user: 'u', info: {n: 1}, since: 1}], next: 'c1',
  });

  const number = world.client.members('a', {countOnly: true});
  assert.equal(world.socket().last('group_members').count_only, true);
  world.socket().reply('group_members', {group_id: 'a', count: 7});
  assert.deepEqual(await number, {groupId: 'a', count: 7, members: [], next: undefined});

  const refused = world.client.members('a');
  world.socket().fail('group_members', 'too_many_members', false);
  await assert.rejects(refused, isError('too_many_members', false));
});

test('a view reads all pages, and then follows the events', async () => {
  const world = makeOpen();
  const log = [];
  await joined(world, 'a', {epoch: 'e', offset: 1}, {onMembers: watch(log)});
  assert.equal(world.socket().last('add_group').presence, true);
  await answerPage(world, [wire('c1'), wire('c2')], 'c2');
  assert.equal(world.socket().last('group_members').after, 'c2');
  assert.deepEqual(log, [], 'it is not whole yet');
  await answerPage(world, [wire('c3')]);
  world.socket().hear(joins('c4'));
  world.socket().hear(leaves('c1'));
  world.socket().hear(leaves('c9'));
  world.timers.advance(0);  // throws what the callback has thrown
  assert.deepEqual(log, [
    [['c1', 'c2', 'c3'], ['c1', 'c2', 'c3'], []],
    [['c1', 'c2', 'c3', 'c4'], ['c4'], []],
    [['c2', 'c3', 'c4'], [], ['c1']],
  ]);
});

test('events between the pages count', async () => {
  const world = makeOpen();
  const log = [];
  await joined(world, 'a', {epoch: 'e', offset: 1}, {onMembers: watch(log)});
  await answerPage(world, [wire('c1'), wire('c2')], 'c2');
  world.socket().hear(leaves('c1'));
  world.socket().hear(joins('c5'));
  await answerPage(world, [wire('c5'), wire('c6')]);
  assert.deepEqual(log, [[['c2', 'c5', 'c6'], ['c2', 'c5', 'c6'], []]]);
});

test('an event that comes right after the page counts', async () => {
  const world = makeOpen();
  const log = [];
  await joined(world, 'a', {epoch: 'e', offset: 1}, {onMembers: watch(log)});
  world.socket().reply('group_members', {group_id: 'a', count: 2, members: [wire('c1'), wire('c2')]});
  world.socket().hear(leaves('c1'));
  world.socket().hear(joins('c3'));
  assert.deepEqual(log.pop()[0], ['c2', 'c3']);
});

test('after a reconnect the view is read anew, and tells the difference', async () => {
  const world = makeOpen();
  const log = [];
  await joined(world, 'a', {epoch: 'e', offset: 1}, {onMembers: watch(log)});
  await answerPage(world, [wire('c1'), wire('c2')]);
  log.length = 0;
  reconnect(world);
  assert.equal(world.socket().last('add_group').presence, true);
  world.socket().reply('add_group', {group_id: 'a', epoch: 'e', offset: 1, recovered: true});
  await answerPage(world, [wire('c2'), wire('c3')]);
  assert.deepEqual(log, [[['c2', 'c3'], ['c3'], ['c1']]]);
});

test('a later join may ask for the view', async () => {
  const world = makeOpen();
  const log = [];
  await joined(world, 'a', {epoch: 'e', offset: 5});
  world.client.join('a', () => {}, {onMembers: watch(log)});
  const {presence, since} = world.socket().last('add_group');
  assert.deepEqual([presence, since], [true, undefined]);
  world.socket().reply('add_group', {group_id: 'a', epoch: 'e', offset: 5});
  await answerPage(world, [wire('c1')]);
  assert.deepEqual(log, [[['c1'], ['c1'], []]]);
});

test('a view that cannot be read is told', async () => {
  const world = makeOpen();
  await joined(world, 'a', {epoch: 'e', offset: 1}, {onMembers: () => assert.fail('there are no members')});
  await settled();
  world.socket().fail('group_members', 'too_many_members', false);
  await settled();
  assert.equal(world.errors.length, 1);
  isError('too_many_members', false)(world.errors[0]);
  assert.equal(world.errors[0].groupId, 'a');
});

test('after leave(), and after a join that replaces it, a callback is not called', async () => {
  const world = makeOpen();
  const log = [];
  const notCalled = () => assert.fail('it was called');
  await joined(world, 'a', {epoch: 'e', offset: 1}, {onMembers: notCalled});
  const {id} = world.socket().last('group_members');
  world.client.join('a', () => {}, {onMembers: watch(log)});
  world.socket().hear({event: 'reply', id, count: 1, members: [wire('c1')]});
  world.socket().reply('add_group', {group_id: 'a', epoch: 'e', offset: 1});
  world.socket().reply('group_members', {group_id: 'a', count: 1, members: [wire('c2')]});
  assert.deepEqual(log, [[['c2'], ['c2'], []]]);

  await joined(world, 'b', {epoch: 'e', offset: 1}, {onMembers: notCalled});
  world.client.leave('b');
  world.socket().reply('group_members', {group_id: 'b', count: 1, members: [wire('c1')]});
  await settled();
  world.timers.advance(0);  // throws what the callback has thrown
});

// Answers all joins, and then all pages: each group has one member, whose name ends with `suffix`.
function answerAll(world, suffix) {
  const socket = world.socket();
  for (const {id, group_id} of socket.commands('add_group')) {
    socket.hear({event: 'reply', id, group_id, epoch: 'e', offset: 1, recovered: true});
  }
  for (let answered = 0; answered < socket.commands('group_members').length; ++answered) {
    const {id, group_id} = socket.commands('group_members')[answered];
    socket.hear({event: 'reply', id, group_id, count: 1, members: [wire(group_id + suffix)]});
  }
}

test('the views of many groups are read one after the other, whatever the application reads', async () => {
  const GROUPS = 150;
  const world = makeOpen();
  const views = new Map();
  for (let i = 0; i < 128; ++i) world.client.history('a').catch(() => {});
  for (let i = 0; i < GROUPS; ++i) {
    world.client.join('g' + i, () => {}, {onMembers: (members) => views.set('g' + i, [...members.keys()])});
  }
  answerAll(world, '-first');
  assert.equal(views.size, GROUPS);
  // The connection breaks again while they are read.
  reconnect(world);
  for (const {id, group_id} of world.socket().commands('add_group')) {
    world.socket().hear({event: 'reply', id, group_id, epoch: 'e', offset: 1, recovered: true});
  }
  assert.equal(world.socket().commands('group_members').length, 1);
  reconnect(world);
  answerAll(world, '-last');
  for (const [group, members] of views) assert.deepEqual(members, [group + '-last']);
  assert.deepEqual(world.errors, []);
});

test('a view that is dropped while it is read does not hold up the others', async () => {
  const world = makeOpen();
  const log = [];
  await joined(world, 'a', {epoch: 'e', offset: 1}, {onMembers: () => assert.fail('it was left')});
  await joined(world, 'b', {epoch: 'e', offset: 1}, {onMembers: watch(log)});
  const asked = () => world.socket().commands('group_members').map((command) => command.group_id);
  assert.deepEqual(asked(), ['a']);
  const {id} = world.socket().last('group_members');
  world.client.leave('a');
  assert.deepEqual(asked(), ['a', 'b']);
  // A late answer changes nothing.
  world.socket().hear({event: 'reply', id, group_id: 'a', count: 2, members: [wire('c8')], next: 'c8'});
  assert.deepEqual(asked(), ['a', 'b']);
  world.socket().reply('group_members', {group_id: 'b', count: 1, members: [wire('c1')]});
  assert.deepEqual(log, [[['c1'], ['c1'], []]]);
});

test('a view is read after the join of its own connection, and waits for no other group', async () => {
  const world = makeOpen();
  const log = [];
  await joined(world, 'a', {epoch: 'e', offset: 1}, {onMembers: watch(log)});
  await joined(world, 'b', {epoch: 'e', offset: 1}, {onMembers: watch(log)});
  reconnect(world);
  assert.deepEqual(world.socket().commands('group_members'), []);
  world.socket().reply('add_group', {group_id: 'b', epoch: 'e', offset: 1, recovered: true});
  assert.deepEqual(world.socket().commands('group_members').map((command) => command.group_id), ['b']);
});

test('a join that asks for the view before an earlier one is answered gets the events too', async () => {
  const world = makeOpen();
  const log = [];
  world.client.join('a', () => {});
  world.client.join('a', () => {}, {onMembers: watch(log)});
  world.socket().reply('add_group', {group_id: 'a', epoch: 'e', offset: 5});
  assert.equal(world.socket().last('add_group').presence, true);
  world.socket().reply('add_group', {group_id: 'a', epoch: 'e', offset: 5});
  world.socket().reply('group_members', {group_id: 'a', count: 1, members: [wire('c1')]});
  assert.deepEqual(log, [[['c1'], ['c1'], []]]);
});

test('without onMembers nobody asks', async () => {
  const world = make();
  world.socket().welcome();
  await joined(world, 'a', {epoch: 'e', offset: 1});
  assert.ok(!('presence' in world.socket().last('add_group')));
  world.socket().hear(joins('c1'));
  assert.deepEqual(world.socket().commands('group_members'), []);
});
