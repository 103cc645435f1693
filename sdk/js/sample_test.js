'use strict';

// The state of the sample, which knows no DOM: conversations, tallies, frames, and links in texts.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const vm = require('node:vm');

// Classic scripts of one page share their names. So do these.
const FILES = ['conversation', 'counter', 'inspector', 'tally', 'text_parts'];
const script = FILES.map((name) => fs.readFileSync(path.join(__dirname, 'sample', name + '.js'), 'utf8')).join('\n');
const {Conversation, ENTRIES_MAX, Inspector, OUTBOX_MAX, Tally, textParts} =
    vm.runInThisContext(script + '\n({Conversation, ENTRIES_MAX, Inspector, OUTBOX_MAX, Tally, textParts})');

const NOON = new Date(2026, 10, 28, 12).getTime();
const DAY = 24 * 3600 * 1000;

function makeConversation(remembered = {}) {
  return new Conversation('g', remembered, () => {});
}

function place(offset, {epoch = 'e', sentAt = NOON} = {}) {
  return {epoch, offset, sentAt};
}

const said = (name, text, more) => ({name, text, ...more});

// The lines of the log, in short.
function lines(conversation) {
  return conversation.view(NOON).filter(({kind}) => kind !== 'day').map(
      (entry) => entry.kind === 'message' ? (entry.isRecovered ? '+' : '') + entry.text : entry.kind);
}

test('a send is pending at the end, then sent, then at its place', () => {
  const conversation = makeConversation();
  conversation.send('1', 'Amina', 'mine', NOON);
  conversation.onMessage(said('Bruno', 'theirs'), place(1));
  assert.deepEqual(lines(conversation), ['theirs', 'mine']);
  assert.equal(conversation.outgoing('1').status, 'pending');
  conversation.onAcknowledged('1', place(2));
  assert.equal(conversation.outgoing('1').status, 'sent');
  conversation.onMessage(said('Amina', 'mine', {id: '1'}), place(2));
  conversation.onMessage(said('Bruno', 'later'), place(3));
  assert.deepEqual(lines(conversation), ['theirs', 'mine', 'later']);
  const [own] = conversation.view(NOON).filter(({text}) => text === 'mine');
  assert.deepEqual([own.isOwn, own.status], [true, 'delivered']);
});

test('the delivery may come before the acknowledgement, and an acknowledgement alone shows nothing twice', () => {
  const conversation = makeConversation();
  conversation.send('1', 'Amina', 'mine', NOON);
  conversation.onMessage(said('Amina', 'mine', {id: '1'}), place(1));
  conversation.onAcknowledged('1', place(1));
  conversation.onFailed('1', true, 'too late to matter');
  assert.deepEqual(lines(conversation), ['mine']);
});

test('a send that failed stays at the end until it is tried again or discarded', () => {
  const conversation = makeConversation();
  conversation.send('1', 'Amina', 'one', NOON);
  conversation.send('2', 'Amina', 'two', NOON);
  conversation.onFailed('1', false, 'why');
  conversation.onFailed('2', true, 'who knows');
  assert.deepEqual(['1', '2'].map((id) => conversation.outgoing(id).status), ['failed', 'unknown']);
  conversation.onRetry('1');
  assert.deepEqual([conversation.outgoing('1').status, conversation.outgoing('1').problem], ['pending', '']);
  conversation.discard('2');
  assert.deepEqual(lines(conversation), ['one']);
});

test('a message that was tried again and came twice is shown once', () => {
  const conversation = makeConversation();
  assert.notEqual(conversation.onMessage(said('Bruno', 'once', {id: '1'}), place(1)), null);
  assert.equal(conversation.onMessage(said('Bruno', 'once', {id: '1'}), place(2)), null);
  assert.deepEqual(lines(conversation), ['once']);
});

test('sends that are not done are bounded, and so are the entries', () => {
  const conversation = makeConversation();
  for (let n = 0; n < OUTBOX_MAX; ++n) assert.notEqual(conversation.send(String(n), 'Amina', 'x', NOON), null);
  assert.equal(conversation.send('one more', 'Amina', 'x', NOON), null);
  const other = makeConversation();
  for (let n = 1; n <= ENTRIES_MAX + 1; ++n) other.onMessage('m' + n, place(n));
  assert.equal(lines(other).length, ENTRIES_MAX);
  assert.equal(lines(other)[0], 'm2');
});

test('what was missed is recovered up to the head, and only what others said', () => {
  const conversation = makeConversation();
  conversation.onMessage('before', place(1));
  conversation.setAway(true);
  conversation.send('1', 'Amina', 'mine', NOON);
  assert.deepEqual(lines(conversation), ['before', 'away', 'mine']);
  assert.deepEqual(conversation.view(NOON).filter(({isWaiting}) => isWaiting).map(({text}) => text), ['mine']);
  conversation.setAway(false);
  assert.equal(conversation.view(NOON).some(({isWaiting}) => isWaiting), false);
  const recovery = conversation.onRecovered(place(1));
  conversation.onMessage('missed', place(2));
  conversation.onMessage(said('Amina', 'mine', {id: '1'}), place(3));
  conversation.onMessage('live', place(4));
  assert.deepEqual(lines(conversation), ['before', 'recovery', '+missed', 'mine', '+live']);
  conversation.onHead(recovery, 3);
  assert.deepEqual(lines(conversation), ['before', 'recovery', '+missed', 'mine', 'live']);
  assert.equal(conversation.recoveredCount(recovery), 1);
  conversation.onMessage('of another history', place(2, {epoch: 'f'}));
  assert.equal(conversation.isRecovered(place(2, {epoch: 'f'})), false);
});

test('a head that cannot be read is as far as was seen', () => {
  const conversation = makeConversation();
  const recovery = conversation.onRecovered(place(1));
  conversation.onMessage('missed', place(2));
  conversation.onHead(recovery, null);
  conversation.onMessage('live', place(3));
  assert.deepEqual(lines(conversation), ['recovery', '+missed', 'live']);
  const empty = makeConversation();
  const nothing = empty.onRecovered(place(7));
  empty.onHead(nothing, null);
  assert.equal(nothing.to, 7);
});

test('what is acknowledged and then lost to this tab stays, before the gap', () => {
  const conversation = makeConversation();
  conversation.send('1', 'Amina', 'in the gap', NOON);
  conversation.send('2', 'Amina', 'after it', NOON);
  conversation.send('3', 'Amina', 'pending', NOON);
  conversation.onAcknowledged('1', place(5));
  conversation.onAcknowledged('2', place(9));
  conversation.onGap({epoch: 'e', from: 1, to: 8});
  assert.deepEqual(lines(conversation), ['in the gap', 'gap', 'after it', 'pending']);
  conversation.onGap({epoch: 'f', from: null, to: 2});
  assert.deepEqual(lines(conversation), ['in the gap', 'gap', 'after it', 'gap', 'pending']);
});

test('a reload remembers own messages and those that are not done', () => {
  const first = makeConversation();
  first.send('1', 'Amina', 'done', NOON);
  first.onMessage(said('Amina', 'done', {id: '1'}), place(1));
  first.send('2', 'Amina', 'arrived', NOON);
  first.send('3', 'Amina', 'not done', NOON);
  const second = makeConversation(JSON.parse(JSON.stringify(first.toRemember())));
  second.onMessage(said('Amina', 'done', {id: '1'}), place(1));
  second.onMessage(said('Bruno', 'theirs', {id: 'b'}), place(2));
  second.onMessage(said('Amina', 'arrived', {id: '2'}), place(3));
  assert.deepEqual(second.view(NOON).filter(({kind}) => kind === 'message').map(
      ({text, isOwn, status}) => [text, isOwn, status]), [
    ['done', true, 'delivered'], ['theirs', false, 'delivered'], ['arrived', true, 'delivered'],
    ['not done', true, 'unknown'],
  ]);
});

test('anything that comes is shown as text', () => {
  const conversation = makeConversation();
  const all = [null, 7, [], {}, {text: 5}, {name: {}, text: 'x'}, {kind: 'here'}, '', {id: 3, text: 'y'}];
  all.forEach((message, index) => conversation.onMessage(message, place(index + 1)));
  assert.deepEqual(lines(conversation), ['null', '7', '[]', '{}', '{"text":5}', 'x', '{"kind":"here"}', '', 'y']);
});

test('members are known by what they say, and only others that come are told', () => {
  const conversation = makeConversation();
  conversation.memberId = 'a';
  conversation.onMessage({kind: 'here', name: 'Amina', by: 'a'}, place(1));
  conversation.onMessage({kind: 'here', name: 'Bruno', by: 'b'}, place(2));
  conversation.onMessage({kind: 'here', name: 'Chen', by: 'c', isAgain: true}, place(3));
  conversation.onMessage(said('Dalia', 'hello', {by: 'd'}), place(4));
  assert.deepEqual(lines(conversation), ['note', 'hello']);
  assert.deepEqual([...conversation.names], [['a', 'Amina'], ['b', 'Bruno'], ['c', 'Chen'], ['d', 'Dalia']]);
});

test('days, blocks of one sender, and rows of numbers', () => {
  const conversation = makeConversation();
  conversation.onMessage(said('Amina', '1'), place(1, {sentAt: NOON - 9 * DAY}));
  conversation.onMessage(said('Amina', '2'), place(2, {sentAt: NOON - DAY}));
  conversation.onMessage(said('Amina', '3'), place(3));
  conversation.onMessage(said('Amina', '4'), place(4));
  conversation.onMessage(said('B', '5', {series: 's', number: 1}), place(5));
  conversation.onMessage(said('C', '6', {series: 't', number: 1}), place(6));
  const view = conversation.view(NOON);
  assert.deepEqual(view.map(({kind, label}) => label || kind).slice(1),
      ['message', 'Yesterday', 'message', 'Today', 'message', 'message', 'counters', 'message', 'message']);
  assert.match(view[0].label, /2026/);
  assert.deepEqual(view.filter(({isMore}) => isMore).map(({text}) => text), ['4']);
  assert.deepEqual(view.find(({kind}) => kind === 'counters').names, ['B', 'C']);
  assert.equal(new Set(view.map(({key}) => key)).size, view.length);
});

test('a tally knows what came, came late, is missing, is lost, and came twice', () => {
  const tally = new Tally('s');
  const number = (n, series = 's') => ({series, number: n});
  tally.onMessage(number(1), place(1));
  tally.onSent(1, place(1));
  tally.onSent(2, place(2));
  tally.onSent(3, place(3));
  tally.onMessage(number(3), place(3));
  tally.onMessage(number(4, 'another series'), place(4));
  tally.onMessage(null, place(5));
  const isRecovered = ({offset}) => offset === 3;
  assert.deepEqual(tally.newest(9, isRecovered).map(({fate}) => fate), ['live', 'waiting', 'recovered']);
  assert.deepEqual(tally.counts, {sent: 3, received: 2, lost: 0, twice: 0});
  tally.onGap({epoch: 'e', to: 2});
  tally.onMessage(number(3), place(6));
  assert.deepEqual(tally.newest(2, isRecovered).map(({fate}) => fate), ['lost', 'twice']);
  assert.deepEqual(tally.counts, {sent: 3, received: 2, lost: 1, twice: 1});
  // Anybody can send a number to the group.
  for (const wrong of [0, -1, 1.5, 1e9, '2', undefined]) tally.onMessage(number(wrong), place(7));
  assert.deepEqual(tally.counts, {sent: 3, received: 2, lost: 1, twice: 1});
});

function makeInspector() {
  const world = {now: 0};
  world.inspector = new Inspector(() => world.now, () => {});
  world.in = (frame) => world.inspector.onFrame('in', JSON.stringify(frame));
  world.out = (frame) => world.inspector.onFrame('out', JSON.stringify(frame));
  return world;
}

test('the inspector follows a group: place, chain and gaps', () => {
  const world = makeInspector();
  const {inspector} = world;
  inspector.watchGroup('g');
  inspector.onSocket('open');
  world.out({id: 1, cmd: 'add_group', group_id: 'g', history: 5});
  world.in({event: 'reply', id: 1, group_id: 'g', epoch: 'e', offset: 4});
  world.in({event: 'message', group_id: 'g', offset: 6, previous: 4, message: 'x'});
  world.in({event: 'message', group_id: 'another', offset: 7, previous: 1, message: 'x'});
  assert.deepEqual([inspector.epoch, inspector.previous, inspector.offset], ['e', 4, 6]);
  assert.deepEqual([inspector.chainLength, inspector.broken, inspector.gaps], [1, 0, 0]);
  world.in({event: 'gap', group_id: 'g', epoch: 'f', from: null, to: 9});
  world.in({event: 'message', group_id: 'g', offset: 10, previous: 9, message: 'x'});
  assert.deepEqual([inspector.epoch, inspector.offset, inspector.gaps, inspector.broken], ['f', 10, 1, 0]);
  world.in({event: 'message', group_id: 'g', offset: 13, previous: 12, message: 'x'});
  assert.equal(inspector.broken, 1);
  inspector.onSocket('open');
  world.out({id: 9, cmd: 'add_group', group_id: 'g', since: {epoch: 'f', offset: 13}});
  world.in({event: 'reply', id: 9, group_id: 'g', epoch: 'f', offset: 20, recovered: false});
  assert.deepEqual([inspector.offset, inspector.gaps], [20, 2]);
});

test('the inspector times deliveries, and tells those that waited for a connection', () => {
  const world = makeInspector();
  const {inspector} = world;
  inspector.watchGroup('g');
  const deliver = (id) => world.in({event: 'message', group_id: 'g', offset: 1, previous: 0, message: {id, text: id}});
  inspector.onSocket('open');
  inspector.noteSent('a');
  world.now = 3;
  deliver('a');
  deliver('a');
  deliver('not noted');
  inspector.noteSent('b');
  inspector.onSocket('lost');
  world.now = 1000;
  inspector.onSocket('open');
  deliver('b');
  assert.deepEqual(inspector.latencies.map(({ms, isLate}) => [ms, isLate]), [[3, false], [997, true]]);
  assert.equal(inspector.medianMs, 3);
});

test('frames are named by what they are, whatever comes', () => {
  const world = makeInspector();
  for (const text of ['no JSON', 'null', '7', '{}', '[]', '{"event":5}']) world.inspector.onFrame('in', text);
  world.in({event: 'error', cmd: 'send_to_group', code: 'unavailable'});
  world.in({event: 'reply', id: 1, pong: true});
  world.in({event: 'message', group_id: 'g', offset: 6, previous: 4, message: {text: 'hello'}});
  world.out({cmd: 'add_group', group_id: 'g', since: {epoch: 'e', offset: 4}});
  assert.deepEqual(world.inspector.frames.slice(6).map(({name, place, content}) => [name, place, content]), [
    ['error', '', '{"code":"unavailable"}'], ['pong', '', ''], ['message', '4 → 6', '"hello"'],
    ['add_group', 'since 4', ''],
  ]);
  for (let n = 0; n < 300; ++n) world.in({event: 'x'});
  assert.equal(world.inspector.frames.length, 200);
});

test('links in texts', () => {
  const parts = (text) => textParts(text).map(({text, href}) => href ? [text, href] : text);
  assert.deepEqual(parts(''), []);
  assert.deepEqual(parts('no link'), ['no link']);
  assert.deepEqual(parts('see https://a.example/b?c=d#e.'),
      ['see ', ['https://a.example/b?c=d#e', 'https://a.example/b?c=d#e'], '.']);
  assert.deepEqual(parts('(http://a.example)'), ['(', ['http://a.example', 'http://a.example/'], ')']);
  const harmless = 'https:// javascript:alert(1) data:x javascript://x/%0aalert(1) ftp://a.example';
  assert.deepEqual(parts(harmless), [harmless]);
  assert.deepEqual(parts('https://a.example https://b.example'),
      [['https://a.example', 'https://a.example/'], ' ', ['https://b.example', 'https://b.example/']]);
});
