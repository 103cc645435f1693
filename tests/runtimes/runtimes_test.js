'use strict';

// The packed npm package in other runtimes than the Node of this machine: imported, required, and against faults.

const assert = require('node:assert/strict');
const child_process = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const test = require('node:test');
const harness = require('../browser/harness.js');
const {runScenarios} = require('../sdks/scenarios.js');
const {inRuntime} = require('../sdks/sdks.js');

// The source folder, also under Bazel, because node_modules is there.
const HERE = path.dirname(fs.realpathSync(__filename));
const SCENARIOS = [
  'nothing happens, and nothing is lost',
  'the WebSocket service is killed, and started again',
  'a network is silent, and its bytes are lost',
  'tokens expire, and fresh ones take their place',
];

const installed = (name) => path.join(HERE, 'node_modules', name);

// Node 18 has no WebSocket. The other runtimes use their own.
const RUNTIMES = [
  {name: 'Node 18', file: installed('node18/bin/node'), args: [], version: /^v18\./, needsWs: true},
  {name: 'Node 22', file: installed('node22/bin/node'), args: [], version: /^v22\./},
  {name: 'Deno', file: installed('@deno/linux-x64-glibc/deno'), args: ['run', '--allow-all', '--quiet'], version: /^deno 2\./},
  {name: 'Bun', file: installed('@oven/bun-linux-x64/bin/bun'), args: [], version: /^1\./},
];

const isHere = process.platform === 'linux' && process.arch === 'x64';
if (isHere && RUNTIMES.some(({file}) => !fs.existsSync(file))) {
  console.error('The npm packages of tests/runtimes are not installed: run tools/test, which installs them.');
  process.exit(1);
}

const folder = fs.mkdtempSync(path.join(process.env.TEST_TMPDIR || os.tmpdir(), 'groupcast-runtimes-'));
test.after(() => fs.rmSync(folder, {recursive: true, force: true}));

function run(file, args) {
  const {status, stdout, stderr} = child_process.spawnSync(file, args, {
    cwd: folder, encoding: 'utf8',
    env: {...process.env, HOME: folder, npm_config_cache: path.join(folder, '.npm'), npm_config_update_notifier: 'false'},
  });
  assert.equal(status, 0, `${file} ${args.join(' ')}\n${stdout}${stderr}`);
  return stdout;
}

run(process.execPath, [fs.realpathSync(harness.argument('build')), `--out=${folder}/package`]);
const [packed] = JSON.parse(run('npm', ['pack', '--json', './package']));
const unpacked = path.join(folder, 'node_modules', 'groupcast');
fs.mkdirSync(unpacked, {recursive: true});
run('tar', ['-xzf', packed.filename, '--strip-components=1', '-C', unpacked]);
fs.writeFileSync(path.join(folder, 'package.json'), '{}');

const USE = `
  const client = new Client('ws://127.0.0.1:1', {WebSocket: class { close() {} }});
  console.log(/^[0-9a-f]{32}$/.test(client.session), client.state, new GroupcastError('left', 'm', false).code);
  client.close();`;

for (const {name, file, args, version, needsWs} of RUNTIMES) {
  const skip = isHere ? false : 'its package is for Linux on x64';
  test(`${name}: it is what its package says`, {skip}, () => {
    assert.match(run(file, ['--version']), version);
  });
  for (const [how, program, text] of [
    ['named imports', 'named.mjs', `import {Client, GroupcastError} from 'groupcast';` + USE],
    ['import *', 'all.mjs', `import * as all from 'groupcast'; const {Client, GroupcastError} = all;` + USE],
    ['require()', 'required.cjs', `const {Client, GroupcastError} = require('groupcast');` + USE],
  ]) {
    test(`${name}: ${how}`, {skip}, () => {
      fs.writeFileSync(path.join(folder, program), text);
      assert.equal(run(file, [...args, program]), 'true connecting left\n');
    });
  }
  const runtime = inRuntime(name, [file, ...args],
      path.join(unpacked, name.startsWith('Node') ? 'groupcast.node.mjs' : 'groupcast.mjs'), needsWs ? HERE : null);
  runScenarios(isHere ? runtime : {...runtime, command: null}, SCENARIOS);
}
