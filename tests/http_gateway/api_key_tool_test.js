'use strict';

// The gateway accepts the keys of tools/api_key, with the scopes and groups of its options.

const assert = require('node:assert/strict');
const child_process = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const {argument, startChannelServer, startHttpGateway, withCleanUp} = require('../browser/harness.js');

function run(...options) {
  const result = child_process.spawnSync(argument('api_key'), options, {encoding: 'utf8'});
  return {status: result.status, entry: result.stdout, words: result.stderr};
}

test('the gateway accepts a key, for its scopes and groups alone', {timeout: 60000}, withCleanUp(async () => {
  const made = run('--name=shop', '--scopes=publish,read', '--groups=orders.*,a"b');
  assert.equal(made.status, 0, made.words);
  const entry = JSON.parse(made.entry);
  assert.deepEqual([entry.name, entry.scopes, entry.groups], ['shop', ['publish', 'read'], ['orders.*', 'a"b']]);
  const key = made.words.match(/gck_[A-Za-z0-9_-]{43}/)[0];
  assert.ok(!made.entry.includes(key), 'the configuration does not have the key');

  const config = path.join(process.env.TEST_TMPDIR, 'api_keys.json');
  fs.writeFileSync(config, `{"api_keys": [${made.entry}]}`);
  const gateway = await startHttpGateway(await startChannelServer(), [`--config=${config}`]);
  const status = async (group, method, bearer, rest = 'messages') => (await fetch(
      `http://127.0.0.1:${gateway.port}/v1/groups/${encodeURIComponent(group)}/${rest}`, {
        method,
        headers: {Authorization: `Bearer ${bearer}`, 'Content-Type': 'application/json'},
        body: method === 'POST' ? '1' : undefined,
      })).status;
  assert.equal(await status('orders.1', 'POST', key), 200);
  assert.equal(await status('a"b', 'POST', key), 200);
  assert.equal(await status('orders.1', 'GET', key), 200);
  assert.equal(await status('news', 'POST', key), 403);
  assert.equal(await status('orders.1', 'GET', key, 'members'), 403, 'it has no scope observe');
  assert.equal(await status('orders.1', 'POST', key.slice(0, -1) + (key.endsWith('A') ? 'E' : 'A')), 401);
}));

test('the gateway accepts a key with the scope manage', {timeout: 60000}, withCleanUp(async () => {
  const made = run('--name=operator', '--scopes=manage', '--groups=room.*');
  assert.equal(made.status, 0, made.words);
  const key = made.words.match(/gck_[A-Za-z0-9_-]{43}/)[0];
  const config = path.join(process.env.TEST_TMPDIR, 'manage.json');
  fs.writeFileSync(config, `{"api_keys": [${made.entry}]}`);
  const gateway = await startHttpGateway(await startChannelServer(), [`--config=${config}`]);
  const status = async (method, rest) => (await fetch(`http://127.0.0.1:${gateway.port}/v1/${rest}`, {
    method, headers: {Authorization: `Bearer ${key}`},
  })).status;
  assert.equal(await status('GET', 'groups?prefix=room.'), 200);
  assert.equal(await status('GET', 'groups'), 403);
  assert.equal(await status('DELETE', 'groups/room.1/members/c4f1e2a90b7d3356'), 404);
  assert.equal(await status('DELETE', 'groups/news/members/c4f1e2a90b7d3356'), 403);
  assert.equal(await status('DELETE', 'connections/c4f1e2a90b7d3356'), 403);
}));

test('keys differ, and options are checked', () => {
  const keys = [1, 2].map(() => run('--name', 'a', '--scopes', 'read').words.match(/gck_\S+/)[0]);
  assert.notEqual(keys[0], keys[1]);
  for (const [options, sentence] of [
    [['--scopes=read'], '--name is missing'],
    [['--name=a b', '--scopes=read'], '--name has 1 to 64 characters'],
    [['--name=a'], '--scopes is missing'],
    [['--name=a', '--scopes=write'], 'there is no scope "write"'],
    [['--name=a', '--scopes=read,'], 'there is no scope ""'],
    [['--name=a', '--scopes=read', '--groups=a,,b'], '--groups has group ids'],
    [['--name=a', '--scopes=read', '--group=a'], 'Did you mean --groups?'],
  ]) {
    const refused = run(...options);
    assert.equal(refused.status, 2, String(options));
    assert.ok(refused.words.includes(sentence), refused.words);
    assert.equal(refused.entry, '');
  }
  assert.equal(run('--help').status, 0);
});
