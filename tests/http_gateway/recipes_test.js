'use strict';

// Runs the code blocks of docs/http_api.md as they stand, against a gateway on a free port. A block of a language whose
// program is not installed is skipped, and the test says so; tools/test installs all but Go.

const assert = require('node:assert/strict');
const child_process = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const {argument, startBrowser, startChannelServer, startHttpGateway, until, withCleanUp} = require('../browser/harness.js');

const TIMEOUT = {timeout: 120000};
const PATIENCE_MS = 30000;

const PROGRAMS = {
  sh: {file: 'recipe.sh', command: ['bash', '-e']},
  php: {file: 'recipe.php', command: ['php']},
  python: {file: 'recipe.py', command: ['python3']},
  go: {file: 'recipe.go', command: ['go', 'run']},
  js: {file: 'recipe.mjs', command: ['node']},
};

// The blocks after the heading, by their languages. Each `<!-- run -->` marks one that is a whole program.
function blocks() {
  const text = fs.readFileSync(argument('recipes'), 'utf8');
  const found = [];
  const pattern = /<!-- run: (\S+) -->\n```(\w+)\n([\s\S]*?)\n```/g;
  for (const [, name, language, code] of text.matchAll(pattern)) found.push({name, language, code});
  return found;
}

function isInstalled(program) {
  const version = program === 'go' ? 'version' : '--version';
  return child_process.spawnSync(program, [version], {stdio: 'ignore'}).status === 0;
}

function prepare({language, code, name}, port) {
  const {file, command} = PROGRAMS[language];
  const folder = fs.mkdtempSync(path.join(process.env.TEST_TMPDIR, name + '-'));
  const at = path.join(folder, file);
  assert.ok(code.includes('127.0.0.1:8080'), `${name} names the gateway`);
  fs.writeFileSync(at, code.replaceAll('127.0.0.1:8080', `127.0.0.1:${port}`));
  return [command[0], [...command.slice(1), at]];
}

// Runs a block to its end, and returns what it prints.
function run(block, port) {
  const [program, options] = prepare(block, port);
  const result = child_process.spawnSync(program, options, {encoding: 'utf8', timeout: PATIENCE_MS});
  assert.equal(result.status, 0, `${block.name}: ${result.stdout}${result.stderr}${result.error || ''}`);
  return result.stdout;
}

async function history(port, group) {
  const answer = await (await fetch(`http://127.0.0.1:${port}/v1/groups/${group}/messages`)).json();
  return answer.messages.map(({message}) => message);
}

test('the document has a block of each language for each task', () => {
  const names = blocks().map(({name}) => name);
  assert.deepEqual(names, [
    'first', 'groups.sh', 'busiest.sh', 'close.sh', 'page.html', 'publish.php', 'publish.sh', 'publish.py', 'publish.go', 'publish.js', 'follow.py', 'follow.js']);
});

test('the three lines at the top', TIMEOUT, withCleanUp(async () => {
  const gateway = await startHttpGateway(await startChannelServer());
  const lines = blocks()[0].code.split('\n').filter((line) => line.startsWith('curl'));
  assert.equal(lines.length, 3);
  const [follow, publish, read] = lines.map((line) => line.replaceAll('127.0.0.1:8080', `127.0.0.1:${gateway.port}`));
  const stream = child_process.spawn('bash', ['-c', 'exec ' + follow], {stdio: ['ignore', 'pipe', 'inherit']});
  try {
    let seen = '';
    stream.stdout.setEncoding('utf8').on('data', (text) => { seen += text; });
    await until('the stream begins', () => seen.includes('event: joined'));
    const answer = JSON.parse(child_process.execFileSync('bash', ['-c', publish], {encoding: 'utf8'}));
    assert.deepEqual([answer.group_id, answer.offset], ['123', 1]);
    await until('the message comes', () => seen.includes('"message":"hello","offset":1'));
    const kept = JSON.parse(child_process.execFileSync('bash', ['-c', read], {encoding: 'utf8'}));
    assert.deepEqual(kept.messages.map(({message}) => message), ['hello']);
  } finally {
    stream.kill();
  }
}));

// A stream in room:7, which has no other, and the id of its member.
async function startMember(port) {
  const abort = new AbortController();
  const group = `http://127.0.0.1:${port}/v1/groups/room:7`;
  await fetch(`${group}/events`, {signal: abort.signal});
  const member = await until('the member is shown', async () => (await (await fetch(`${group}/members`)).json()).members[0]);
  return {id: member.connection_id, end: () => abort.abort()};
}

test('the lists of groups', TIMEOUT, withCleanUp(async () => {
  const gateway = await startHttpGateway(await startChannelServer());
  const member = await startMember(gateway.port);
  const published = await fetch(`http://127.0.0.1:${gateway.port}/v1/groups/room:7/messages`, {
    method: 'POST', headers: {'Content-Type': 'text/plain'}, body: 'hello',
  });
  assert.equal(published.status, 200);
  const list = (name) => JSON.parse(run(blocks().find((block) => block.name === name), gateway.port));
  assert.deepEqual(list('groups.sh'), {groups: [{group_id: 'room:7', members: 1}], complete: true});
  const {groups: [busiest]} = list('busiest.sh');
  assert.deepEqual([busiest.group_id, busiest.members], ['room:7', 1]);
  assert.ok(busiest.messages_per_second > 0);
  member.end();
}));

test('the lines of operators', TIMEOUT, withCleanUp(async () => {
  const gateway = await startHttpGateway(await startChannelServer());
  const lines = blocks().find(({name}) => name === 'close.sh').code.split('\n');
  assert.equal(lines.length, 3);
  for (const line of lines) {
    // Each line has somebody to act on, except that nobody is a user here.
    const member = await startMember(gateway.port);
    const real = line.replaceAll('127.0.0.1:8080', `127.0.0.1:${gateway.port}`).replace('c4f1e2a90b7d3356', member.id);
    const answer = JSON.parse(child_process.execFileSync('bash', ['-c', real], {encoding: 'utf8'}));
    if (line.includes('/users/')) {
      assert.equal(answer.detail, 'This user has no connections.');
    } else {
      assert.deepEqual(answer, {connections: 1, complete: true}, line);
    }
    member.end();
    await until('nobody is there', async () => {
      const {count} = await (await fetch(`http://127.0.0.1:${gateway.port}/v1/groups/room:7/members`)).json();
      return count === 0;
    });
  }
}));

test('the page in a browser', TIMEOUT, withCleanUp(async () => {
  const gateway = await startHttpGateway(await startChannelServer());
  const {code} = blocks().find(({name}) => name === 'page.html');
  const file = path.join(process.env.TEST_TMPDIR, 'page.html');
  fs.writeFileSync(file, code.replaceAll('127.0.0.1:8080', `127.0.0.1:${gateway.port}`));
  const page = await (await startBrowser()).newPage();
  const seen = [];
  page.on('console', (message) => seen.push(message.text()));
  await page.goto('file://' + file);
  const group = `http://127.0.0.1:${gateway.port}/v1/groups/123`;
  await until('the page is a member', async () => (await (await fetch(`${group}/members`)).json()).count === 1);
  const published = await fetch(`${group}/messages`, {
    method: 'POST', headers: {'Content-Type': 'application/json'}, body: '"hello"',
  });
  assert.equal(published.status, 200);
  await until('the message comes', () => seen.includes('hello'));
  assert.deepEqual(seen, ['hello']);
}));

for (const block of blocks().filter(({name}) => name.startsWith('publish.'))) {
  const program = PROGRAMS[block.language].command[0];
  const skip = isInstalled(program) ? false : `${program} is not installed`;
  test(`${block.name}: two tries with one key are one message`, {...TIMEOUT, skip}, withCleanUp(async () => {
    const gateway = await startHttpGateway(await startChannelServer());
    for (let i = 0; i < 2; ++i) {
      assert.match(run(block, gateway.port), /\boffset\b.*\b1\b/);
    }
    assert.deepEqual(await history(gateway.port, 'orders'), [{id: 7, state: 'paid'}]);
  }));
}

for (const block of blocks().filter(({name}) => name.startsWith('follow.'))) {
  test(`${block.name}: goes on where it was after the gateway has stopped`, TIMEOUT, withCleanUp(async () => {
    const channelServer = await startChannelServer();
    const first = await startHttpGateway(channelServer);
    const [program, options] = prepare(block, first.port);
    const reader = child_process.spawn(program, options, {stdio: ['ignore', 'pipe', 'inherit']});
    const publish = async (message) => {
      const answer = await fetch(`http://127.0.0.1:${first.port}/v1/groups/orders/messages`, {
        method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(message),
      });
      assert.equal(answer.status, 200);
    };
    try {
      let seen = '';
      reader.stdout.setEncoding('utf8').on('data', (text) => { seen += text; });
      await until('the stream begins', () => seen.includes('joined\n'));
      await publish('one');
      await until('the message comes', () => seen.includes('one\n'));
      await first.stop();
      await startHttpGateway(channelServer, [`--port=${first.port}`]);
      await publish('two');
      await until('the next one comes', () => seen.includes('two\n'));
      assert.deepEqual(seen.split('\n').filter((line) => line !== 'joined' && line !== ''), ['one', 'two']);
    } finally {
      reader.kill();
    }
  }));
}
