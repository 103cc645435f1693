'use strict';

// Each broken promise is found, and nothing else is.

const assert = require('node:assert/strict');
const test = require('node:test');
const {judge} = require('./judge.js');

const joined = (offset, epoch = 'e') => ({event: 'joined', group: 'g', epoch, offset});
const message = (offset, text, epoch = 'e') => ({event: 'message', group: 'g', epoch, offset, text});
const gap = (from, to, epoch = 'e') => ({event: 'gap', group: 'g', epoch, from, to});
const sent = (offset, text, epoch = 'e') => ({event: 'sent', group: 'g', epoch, offset, text});
const notSent = (text, code) => ({event: 'not_sent', group: 'g', text, code});

function violations(member, answers, more = {}) {
  return judge({group: 'g', members: {m: member}, sends: answers.map(({text}) => text), answers, ...more});
}

test('a faultless journal has no violation', () => {
  assert.deepEqual(violations(
      [joined(1), message(2, 'a 0'), message(5, 'a 1'), message(6, 'b 0')],
      [sent(1, 'early 0'), sent(2, 'a 0'), sent(5, 'a 1'), notSent('b 0', 'outcome_unknown'), notSent('c 0', 'closed')]), []);
});

test('the promise of a join may be printed late', () => {
  assert.deepEqual(violations([message(2, 'a 0'), joined(1)], [sent(2, 'a 0')]), []);
});

test('a message that is told as lost is no violation where losses may be', () => {
  const events = [joined(1), message(2, 'a 0'), gap(2, 5), message(6, 'a 3')];
  const answers = [sent(2, 'a 0'), sent(3, 'a 1'), sent(5, 'a 2'), sent(6, 'a 3')];
  assert.deepEqual(violations(events, answers, {mayLose: true}), []);
  assert.match(violations(events, answers).join('\n'), /^m: a gap/);
});

test('after a gap without a beginning, a message that had no answer may come again', () => {
  const events = [joined(1), message(2, 'a 0'), message(3, 'a 1'), gap(null, 0, 'f'), message(1, 'a 1', 'f')];
  assert.deepEqual(violations(events, [sent(2, 'a 0'), sent(1, 'a 1', 'f')], {mayLose: true}), []);
});

for (const [name, events, answers, expected, more] of [
  ['a loss', [joined(1), message(3, 'a 1')], [sent(2, 'a 0'), sent(3, 'a 1')], /"a 0" at 2 is lost/],
  ['a loss at the end', [joined(1), message(2, 'a 0')], [sent(2, 'a 0'), sent(3, 'a 1')], /"a 1" at 3 is lost/],
  ['a loss in a gap that is too short', [joined(1), gap(1, 2), message(4, 'a 2')],
    [sent(2, 'a 0'), sent(3, 'a 1'), sent(4, 'a 2')], /"a 1" at 3 is lost/, {mayLose: true}],
  ['a double at the same place', [joined(1), message(2, 'a 0'), message(2, 'a 0')], [sent(2, 'a 0')], /came after 2/],
  ['a double at another place', [joined(1), message(2, 'a 0'), message(3, 'a 0')], [sent(2, 'a 0')], /came twice/],
  ['a wrong order', [joined(1), message(3, 'a 1'), message(2, 'a 0')], [sent(2, 'a 0'), sent(3, 'a 1')], /came after 3/],
  ['sends in another order', [joined(1), message(2, 'a 1'), message(3, 'a 0')], [sent(3, 'a 0'), sent(2, 'a 1')],
    /a 0 came late/],
  ['a message from before the join', [message(1, 'a 0'), joined(1)], [sent(1, 'a 0')], /before its join/],
  ['another epoch without a gap', [joined(1), message(2, 'a 0', 'f')], [sent(2, 'a 0', 'f')], /no gap tells it/],
  ['a gap that does not begin at the position', [joined(1), message(2, 'a 0'), gap(3, 4)], [sent(2, 'a 0')],
    /does not begin at its position/, {mayLose: true}],
  ['a gap over what came', [joined(1), message(3, 'a 0'), gap(1, 3)], [sent(3, 'a 0')], /a gap tells that it is lost/,
    {mayLose: true}],
  ['a place that is not the sender\'s', [joined(1), message(3, 'a 0')], [sent(2, 'a 0')], /another place/],
  ['what was not sent', [joined(1), message(2, 'a 0')], [notSent('a 0', 'closed')], /not sent: closed/],
  ['what nobody sent', [joined(1), message(2, 'x 0')], [], /never sent/],
  ['two joins', [joined(1), joined(1)], [], /joined twice/],
  ['no join', [], [], /has not joined/],
]) {
  test(`it finds ${name}`, () => {
    assert.match(violations(events, answers, more).join('\n'), expected);
  });
}

test('it finds a send without an answer, and one with two', () => {
  const found = judge({group: 'g', members: {}, sends: ['a 0', 'a 1'], answers: [sent(1, 'a 1'), sent(1, 'a 1')]});
  assert.deepEqual(found, ['"a 0" has 0 answers', '"a 1" has 2 answers']);
});

test('it finds members that see different messages at one place', () => {
  const members = {m: [joined(1), message(2, 'a 0')], n: [joined(1), message(2, 'b 0')]};
  const found = judge({group: 'g', members, sends: ['a 0', 'b 0'], answers: [sent(2, 'a 0'), notSent('b 0', 'outcome_unknown')]});
  assert.match(found.join('\n'), /n: "b 0" is not what others have there/);
});
