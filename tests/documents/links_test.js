// Every link between documents leads to a file and a heading that exist.
//   links_test.js --root=FILE      FILE: one in the root of the project
'use strict';

const assert = require('assert');
const fs = require('fs');
const os = require('os');
const path = require('path');
const test = require('node:test');
const {documents} = require('./documents.js');
const {anchorsOf, brokenLinks, linksOf} = require('./links.js');

const rootFile = process.argv.find((word) => word.startsWith('--root=')).slice('--root='.length);
const root = path.dirname(fs.realpathSync(rootFile));

test('headings have the anchors that GitHub gives them', () => {
  const text = '# A `b_c` (d): e\n## A\n```\n# no\n```\n## A\n### See [f](g.md)\n<a id="h"></a>';
  assert.deepStrictEqual([...anchorsOf(text)], ['a-b_c-d-e', 'a', 'a-1', 'see-f', 'h']);
});

test('code, comments and other sites have no links of the project', () => {
  const text = '[a](b.md) `[c](d.md)` [e](https://f/#g)\n```\n[h](i.md)\n```\n[j]: k.md\n[l](#m)\n' +
               '<!-- a\n[n](o)\n-->\n<!-- b -->\n[p](q)';
  assert.deepStrictEqual(linksOf(text), [{line: 1, target: 'b.md'}, {line: 5, target: 'k.md'},
                                         {line: 6, target: '#m'}, {line: 11, target: 'q'}]);
});

test('a link to nothing is found', () => {
  const directory = fs.mkdtempSync(path.join(process.env.TEST_TMPDIR || os.tmpdir(), 'links-'));
  const file = path.join(directory, 'a.md');
  fs.writeFileSync(path.join(directory, 'b.md'), '## There\n');
  fs.writeFileSync(file, '# Here\n[1](#here) [2](b.md#there) [3](b.md)\n\n' +
                         '[4](#there) [5](b.md#here) [6](c.md)\n');
  assert.deepStrictEqual(brokenLinks(file), [
    `${file}:4: #there: there is no such heading`,
    `${file}:4: b.md#here: there is no such heading`,
    `${file}:4: c.md: there is no such file`,
  ]);
});

test('all links of the project lead somewhere', () => {
  const files = documents(root);
  const names = files.map((file) => path.relative(root, file));
  for (const name of ['README.md', 'ARCHITECTURE.md', 'docs/operations.md', 'docs/protocol.md']) {
    assert(names.includes(name), `${name} is missing in: ${names}`);
  }
  assert.deepStrictEqual(files.flatMap(brokenLinks), []);
});
