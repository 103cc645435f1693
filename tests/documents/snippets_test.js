'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const {outputPattern, readPage} = require('./snippets.js');

const page = (...lines) => readPage(lines.join('\n'));

test('a block has the marker above it', () => {
  const {steps, problems} = page('# A', '', '<!-- file: a.mjs -->', '```js', 'a();', '```', '', '<!-- run -->', '```sh', 'b', '', 'c', '```');
  assert.deepEqual(problems, []);
  assert.deepEqual(steps, [
    {kind: 'file', name: 'a.mjs', rest: '', language: 'js', code: 'a();\n', line: 4},
    {kind: 'run', name: undefined, rest: '', language: 'sh', code: 'b\n\nc\n', line: 9},
  ]);
});

test('a part of a program has the rest in its marker', () => {
  const {steps, problems} = page('<!-- around: a.mjs', 'before();', '@@', 'after();', '-->', '```js', 'part();', '```');
  assert.deepEqual(problems, []);
  assert.deepEqual([steps[0].kind, steps[0].name, steps[0].rest], ['around', 'a.mjs', 'before();\n@@\nafter();']);
});

test('what a reader does without a block is a step too', () => {
  const {steps, problems} = page('<!-- open: a.html -->', '', '<!-- restart -->');
  assert.deepEqual(problems, []);
  assert.deepEqual(steps.map(({kind, name}) => [kind, name]), [['open', 'a.html'], ['restart', undefined]]);
});

test('a block in a list loses the indentation of the list', () => {
  const {steps, problems} = page('- a', '', '<!-- run -->', '  ```sh', '  b', '    c', '  ```');
  assert.deepEqual(problems, []);
  assert.equal(steps[0].code, 'b\n  c\n');
});

test('what would not be run is a problem', () => {
  for (const [problem, ...lines] of [
    ['line 1: the block has no marker', '```js', 'a', '```'],
    ['line 3: the block has no marker', '<!-- open: a -->', '', '```js', 'a', '```'],
    ['line 1: there is no marker "rnu"', '<!-- rnu -->'],
    ['line 1: "file" needs a name', '<!-- file -->', '', 'a'],
    ['line 1: "by hand" needs a name', '<!-- by hand -->', '', 'a'],
    ['line 1: "run" has no block below it', '<!-- run -->', '', '```sh', 'a', '```'],
    ['line 2: "run" has no block below it', '', '<!-- run -->'],
    ['line 3: a block that is only indented cannot have a marker; use a fence', 'So:', '', '    make it'],
    ['line 2: the block has no end', '<!-- run -->', '```sh', 'a'],
  ]) {
    const {problems} = page(...lines);
    assert.equal(problems[0], problem, lines.join('|'));
  }
});

test('expected output may leave out parts of lines, and lines', () => {
  const fits = (expected, output) => new RegExp(`^${outputPattern(expected)}$`).test(output);
  assert.ok(fits('a (b)\n', 'a (b)\n'));
  assert.ok(fits('id: …, x\n', 'id: 17, x\n'));
  assert.ok(fits('a\n…\nd\n', 'a\nb\nc\nd\n'));
  assert.ok(fits('a\n…\nd\n', 'a\nd\n'));
  assert.ok(!fits('a (b)\n', 'a b\n'));
  assert.ok(!fits('a\n', 'a\nb\n'));
  assert.ok(!fits('a…b\n', 'a\nb\n'));
});
