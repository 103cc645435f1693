// A page of the project that has code is followed by a test.
//   every_page_test.js --root=FILE --pages=PAGE,...      FILE: one in the root of the project
'use strict';

const assert = require('assert');
const fs = require('fs');
const path = require('path');
const test = require('node:test');
const {documents} = require('./documents.js');

const argument = (name) => process.argv.find((word) => word.startsWith(`--${name}=`)).slice(`--${name}=`.length);
const root = path.dirname(fs.realpathSync(argument('root')));
const followed = argument('pages').split(',');

// Their code has tests of its own.
const OTHERS = {
  'docs/http_api.md': 'tests/http_gateway/recipes_test.js',
  'docs/protocol.md': 'tests/end_to_end/protocol_document_test.cc',
};

// In these languages a block is code that a reader can run.
const CODE = /^\s*(```+|~~~+)\s*(bash|c|cc|cmake|cpp|go|html|js|javascript|php|py|python|sh|shell|starlark|ts|typescript)\b/m;

test('each page with code is followed by a test', () => {
  const withCode = documents(root).filter((file) => CODE.test(fs.readFileSync(file, 'utf8')))
      .map((file) => path.relative(root, file));
  assert.deepStrictEqual(withCode.filter((page) => !followed.includes(page) && !OTHERS[page]), []);
});

test('what is followed has code, and what has other tests has these tests', () => {
  for (const page of followed) assert.match(fs.readFileSync(path.join(root, page), 'utf8'), CODE, page);
  for (const [page, other] of Object.entries(OTHERS)) {
    assert.match(fs.readFileSync(path.join(root, page), 'utf8'), CODE, page);
    assert.ok(fs.existsSync(path.join(root, other)), other);
  }
});
