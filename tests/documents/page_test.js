'use strict';

// Follows one page of the documents literally, against the real services.
//
//   page_test.js --root=FILE --page=PAGE [--not_run=N]    FILE: one in the root of the project; PAGE: from there
//   N is how many blocks of the page are not run, by their markers: a new one has to be counted here

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const {argument, printLogs, withCleanUp} = require('../browser/harness.js');
const {Reader} = require('./reader.js');
const {readPage} = require('./snippets.js');

const root = path.dirname(fs.realpathSync(argument('root')));
const [, page] = process.argv.find((word) => word.startsWith('--page=')).split('=');
const notRun = Number((process.argv.find((word) => word.startsWith('--not_run=')) || '=0').split('=')[1]);

const {steps, problems} = readPage(fs.readFileSync(path.join(root, page), 'utf8'));

test(`${page}: each block says what it is`, () => {
  assert.deepEqual(problems, []);
  assert.ok(steps.length > 0, 'it has none');
  assert.equal(steps.filter(({kind}) => ['by hand', 'shown', 'theirs'].includes(kind)).length, notRun,
      'blocks that are not run');
});

test(`${page}: a reader gets through it`, withCleanUp(async () => {
  const reader = new Reader(root);
  try {
    for (const step of steps) {
      await reader.follow(step).catch((error) => {
        error.message = `${page}:${step.line}: ${error.message}`;
        throw error;
      });
    }
  } finally {
    await reader.leave();
  }
}));
