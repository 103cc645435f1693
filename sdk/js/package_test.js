'use strict';

// The npm package as users get it: packed, installed, imported in each way, and compiled against.

const assert = require('node:assert/strict');
const child_process = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const test = require('node:test');
const zlib = require('node:zlib');

// The source folder, also under Bazel, because node_modules is there.
const HERE = path.dirname(fs.realpathSync(__filename));
const SIZE_MAX = 8 * 1024;  // of groupcast.min.js, gzipped

if (!fs.existsSync(path.join(HERE, 'node_modules'))) {
  console.error('The npm packages of sdk/js are not installed: run tools/test, which installs them.');
  process.exit(1);
}

const folder = fs.mkdtempSync(path.join(process.env.TEST_TMPDIR || os.tmpdir(), 'groupcast-package-'));
test.after(() => fs.rmSync(folder, {recursive: true, force: true}));

function run(command, args, options = {}) {
  const {status, stdout, stderr} = child_process.spawnSync(command, args, {
    cwd: folder, encoding: 'utf8', ...options,
    env: {
      ...process.env, HOME: folder, npm_config_cache: path.join(folder, '.npm'), npm_config_update_notifier: 'false',
    },
  });
  assert.equal(status, 0, `${command} ${args.join(' ')}\n${stdout}${stderr}`);
  return stdout;
}

const tool = (name) => path.join(HERE, 'node_modules', '.bin', name);

run('node', [path.join(HERE, 'build.js'), `--out=${folder}/package`]);
const [packed] = JSON.parse(run('npm', ['pack', '--json', './package']));
const tarball = path.join(folder, packed.filename);
const installed = path.join(folder, 'node_modules', 'groupcast');
fs.mkdirSync(installed, {recursive: true});
run('tar', ['-xzf', tarball, '--strip-components=1', '-C', installed]);

function write(name, text) {
  fs.writeFileSync(path.join(folder, name), text);
  return name;
}

test('groupcast.js is made of the modules in src/', () => {
  run('node', [path.join(HERE, 'build.js'), '--check']);
});

test('the package has the code, its types, README and LICENSE, and nothing else', () => {
  assert.deepEqual(packed.files.map((file) => file.path).sort(), [
    'LICENSE', 'README.md', 'groupcast.cjs', 'groupcast.d.mts', 'groupcast.d.ts', 'groupcast.js', 'groupcast.min.js',
    'groupcast.mjs', 'groupcast.node.mjs', 'package.json',
  ]);
  const {private: isPrivate, scripts, dependencies} = JSON.parse(fs.readFileSync(path.join(installed, 'package.json')));
  assert.deepEqual([isPrivate, scripts, dependencies], [undefined, undefined, undefined]);
  for (const name of ['README.md', 'LICENSE']) assert.ok(fs.statSync(path.join(installed, name)).size > 1000, name);
});

test('the minified file is small', (t) => {
  const bytes = zlib.gzipSync(fs.readFileSync(path.join(installed, 'groupcast.min.js')), {level: 9}).length;
  t.diagnostic(`groupcast.min.js: ${bytes} bytes gzipped`);
  assert.ok(bytes <= SIZE_MAX, `${bytes} bytes`);
});

test('the minified file and the CommonJS module for bundlers behave as groupcast.js does', () => {
  for (const name of ['groupcast.min.js', 'groupcast.cjs']) {
    write('environment.cjs', `
      process.env.GROUPCAST_FILE = ${JSON.stringify(path.join(installed, name))};
      if (!globalThis.crypto) globalThis.crypto = require('node:crypto').webcrypto;`);
    for (const theme of ['conversations', 'members', 'stream', 'token']) {
      run('node', ['--require', './environment.cjs', path.join(HERE, theme + '_test.js')]);
    }
  }
});

// Each makes a client, whose session comes from a cryptographic generator, and prints what it is.
const USE = `
  const client = new Client('ws://here', {WebSocket: class { close() {} }});
  console.log(/^[0-9a-f]{32}$/.test(client.session), client.state, new GroupcastError('left', 'm', false).code);
  client.close();`;
for (const [how, name, text] of [
  ['named imports', 'named.mjs', `import {Client, GroupcastError} from 'groupcast';` + USE],
  ['import *', 'all.mjs', `import * as all from 'groupcast'; const {Client, GroupcastError} = all;` + USE],
  ['import()', 'dynamic.cjs', `import('groupcast').then(({Client, GroupcastError}) => {${USE}});`],
  ['require()', 'required.cjs', `const {Client, GroupcastError} = require('groupcast');` + USE],
]) {
  test(`Node takes it with ${how}, also without a global crypto`, () => {
    write(name, text);
    assert.equal(run('node', [name]), 'true connecting left\n');
    // As Node 18 is.
    write('no_crypto.cjs', 'delete globalThis.crypto;');
    assert.equal(run('node', ['--require', './no_crypto.cjs', name]), 'true connecting left\n');
  });
}

test('browsers and bundlers take files that know nothing of Node', () => {
  for (const name of ['groupcast.mjs', 'groupcast.cjs', 'groupcast.min.js']) {
    assert.doesNotMatch(fs.readFileSync(path.join(installed, name), 'utf8'), /node:|process\./, name);
  }
  write('bundled.mjs', `import {Client, GroupcastError} from 'groupcast';` + USE);
  write('bundled_required.cjs', `const {Client, GroupcastError} = require('groupcast');` + USE);
  for (const entry of ['bundled.mjs', 'bundled_required.cjs']) {
    run(tool('esbuild'), [entry, '--bundle', '--platform=browser', '--outfile=bundle.js']);
    // As a browser has it.
    write('crypto.cjs', `if (!globalThis.crypto) globalThis.crypto = require('node:crypto').webcrypto;`);
    assert.equal(run('node', ['--require', './crypto.cjs', 'bundle.js']), 'true connecting left\n', entry);
  }
});

test('a classic script defines the global, and nothing else', () => {
  for (const name of ['groupcast.js', 'groupcast.min.js']) {
    write('classic.cjs', `
      const vm = require('node:vm');
      const crypto = require('node:crypto').webcrypto;
      const context = vm.createContext({crypto, URLSearchParams, performance, Date, setTimeout, clearTimeout});
      const before = Object.keys(context);
      vm.runInContext(require('node:fs').readFileSync(${JSON.stringify(path.join(installed, name))}, 'utf8'), context);
      console.log(Object.keys(context).filter((key) => !before.includes(key)), Object.keys(context.groupcast));`);
    assert.equal(run('node', ['classic.cjs']), `[ 'groupcast' ] [ 'Client', 'GroupcastError' ]\n`, name);
  }
});

test('the types and the code list the same errors', () => {
  const table = (name) => {
    const rows = fs.readFileSync(path.join(HERE, name), 'utf8').match(/^ \* \|.*\|$/gm);
    return rows.filter((row) => !row.includes('---')).map((row) => row.replace(/ +/g, ' '));
  };
  const rows = table('src/error.js');
  assert.ok(rows.length > 1, 'there is no table');
  assert.deepEqual(table('groupcast.d.ts'), rows);
  const [, union] = fs.readFileSync(path.join(HERE, 'groupcast.d.ts'), 'utf8').match(/type ErrorCode =([^;]*);/);
  for (const row of rows.slice(1)) assert.ok(union.includes(`'${row.split('`')[1]}'`), row);
});

for (const [how, options] of [
  ['an ES module in Node', {module: 'node16', moduleResolution: 'node16', type: 'module'}],
  ['a CommonJS module in Node', {module: 'node16', moduleResolution: 'node16', type: 'commonjs'}],
  ['a bundler', {module: 'esnext', moduleResolution: 'bundler', type: 'module'}],
]) {
  test(`the types hold under strict for ${how}`, () => {
    const {type, ...compilerOptions} = options;
    const project = path.join(folder, `types-${compilerOptions.module}-${type}`);
    fs.mkdirSync(project);
    fs.writeFileSync(path.join(project, 'package.json'), JSON.stringify({type}));
    fs.copyFileSync(path.join(HERE, 'types_test.ts'), path.join(project, 'use.ts'));
    fs.writeFileSync(path.join(project, 'tsconfig.json'), JSON.stringify({
      compilerOptions: {
        ...compilerOptions, strict: true, noEmit: true, target: 'es2022', lib: ['es2022', 'dom'], types: [],
        exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true,
      },
      files: ['use.ts'],
    }));
    run(tool('tsc'), ['-p', project]);
  });
}

test('the types hold for the global of a classic script', () => {
  write('page.ts', `
    /// <reference types="groupcast" />
    const client: groupcast.Client = new groupcast.Client('ws://here');
    // @ts-expect-error there is no such method
    client.shout();`);
  const options = ['--strict', '--noEmit', '--target', 'es2022', '--lib', 'es2022,dom', '--types', 'groupcast'];
  run(tool('tsc'), [...options, 'page.ts']);
});

test('publint and attw find nothing', () => {
  run(tool('publint'), ['run', tarball, '--strict']);
  run(tool('attw'), [tarball]);
});
