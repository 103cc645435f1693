'use strict';

// The faults. Every scenario ends with the same judgement: nothing lost, nothing doubled, one order.
//
// --speed=N     how many times as fast the clients live where a scenario waits for their time-outs (default 10)
// --outage_ms=N how long the network is away at least (default 0: until the client has noticed it)

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const harness = require('../browser/harness.js');
const {World} = require('./world.js');

const {until} = harness;
const FAKETIME = fs.readdirSync('/usr/lib')
    .map((folder) => `/usr/lib/${folder}/faketime/libfaketime.so.1`).find((file) => fs.existsSync(file));

function number(name, fallback) {
  const prefix = `--${name}=`;
  const found = process.argv.find((value) => value.startsWith(prefix));
  return found ? Number(found.slice(prefix.length)) : fallback;
}

// Messages that are still under way when a fault comes.
const BURST = 2000;
const OUTAGE_MS = number('outage_ms', 0);
const SPEED = number('speed', OUTAGE_MS ? 1 : 10);

const scenarios = [];  // {name, options, body}

function scenario(name, options, body) {
  scenarios.push({name, options, body});
}

/** Registers the scenarios as tests of this SDK, an entry of sdks.js: those of `names`, or all. */
function runScenarios(sdk, names = null) {
  const skip = sdk.command ? false : 'it cannot run here';
  for (const {name, options, body} of scenarios) {
    if (names && !names.includes(name)) continue;
    test(`${sdk.name}: ${name}`, {timeout: 280000, skip}, harness.withCleanUp(async () => {
      const world = await World.start(sdk, options);
      try {
        await body(world);
        await world.finish();
      } finally {
        await world.stop();
      }
    }));
  }
}

scenario('nothing happens, and nothing is lost', {}, async (world) => {
  const a = await world.member('a');
  const b = await world.member('b');
  a.send(300);
  b.send(300);
  const journals = await world.judge();
  assert.equal(journals.a.delivered.length, 600);
  assert.deepEqual([a.states.pop(), b.states.pop()], ['open', 'open']);
});

scenario('the WebSocket service is killed, and started again', {}, async (world) => {
  const a = await world.member('a');
  const b = await world.member('b');
  a.send(BURST);
  b.send(BURST);
  await a.until('some have come', () => a.all('message').length > 20);
  await world.service.kill();
  for (const driver of [a, b]) await driver.until('the loss is noticed', () => driver.states.includes('waiting'));
  a.send(100);
  b.send(100);
  await world.startService();
  const journals = await world.judge();
  assert.equal(journals.b.delivered.length, 2 * BURST + 200);
});

scenario('the WebSocket service is stopped in peace, and started again', {serviceFlags: ['--drain_time=1s']},
    async (world) => {
      const a = await world.member('a');
      const b = await world.member('b');
      a.send(BURST);
      await a.until('some have come', () => a.all('message').length > 20);
      await world.service.stop();
      b.send(100);
      await world.startService();
      const journals = await world.judge();
      assert.equal(journals.b.delivered.length, BURST + 100);
    });

scenario('all workers are killed, again and again', {}, async (world) => {
  const a = await world.member('a');
  const b = await world.member('b');
  for (let round = 0; round < 3; ++round) {
    const before = a.all('message').length;
    a.send(200);
    b.send(200);
    await a.until('some have come', () => a.all('message').length > before + 20);
    for (const pid of world.service.workers()) process.kill(pid, 'SIGKILL');
    await b.until('the loss is noticed', () => b.states.filter((state) => state === 'waiting').length > round);
    await b.until('it is back', () => b.states[b.states.length - 1] === 'open');
  }
  const journals = await world.judge();
  assert.equal(journals.a.delivered.length, 1200);
});

scenario('the channel server is killed, and started again with its data', {hasDataDir: true}, async (world) => {
  const a = await world.member('a');
  const b = await world.member('b');
  a.send(BURST);
  b.send(BURST);
  await a.until('some have come', () => a.all('message').length > 20);
  await world.channelServer.kill();
  a.send(100);
  b.send(100);
  await world.startChannelServer();
  await world.judge({keepsSendOrder: false});
});

scenario('the channel server is killed, and started again without its data', {}, async (world) => {
  const a = await world.member('a');
  const b = await world.member('b');
  a.send(BURST);
  b.send(BURST);
  await a.until('some have come', () => a.all('message').length > 20);
  await world.channelServer.kill();
  a.send(100);
  await world.startChannelServer();
  await a.answered();
  await b.answered();
  b.send(10);
  const journals = await world.judge({mayLose: true, keepsSendOrder: false});
  for (const {name, gaps} of Object.values(journals)) {
    assert.ok(gaps.some(({from}) => from === null), `${name} was not told of the new history`);
  }
});

// The time that OUTAGE_MS asks for, or until a client knows that its line is dead.
async function outage(cut) {
  const end = Date.now() + OUTAGE_MS;
  if (OUTAGE_MS) await until('the outage ends', () => Date.now() >= end, OUTAGE_MS + 10000);
  else await cut.until('the dead line is noticed', () => cut.states.includes('waiting'));
}

for (const loses of [true, false]) {
  scenario(`a network is silent, and its bytes ${loses ? 'are lost' : 'come late'}`, {}, async (world) => {
    const cut = await world.member('cut', {speed: SPEED});
    const other = await world.neighbour('other');
    cut.send(100);
    other.send(100);
    await cut.until('some have come', () => cut.all('message').length > 20);
    world.network.breakDown(loses);
    cut.send(100);
    other.send(100);
    await outage(cut);
    world.network.restore();
    const journals = await world.judge();
    assert.equal(journals.cut.delivered.length, 400);
  });
}

for (const isKept of [true, false]) {
  scenario(`10,000 messages come while a member is away, and the server ${isKept ? 'keeps' : 'forgets'} them`,
      {channelFlags: isKept ? [] : ['--retained_bytes=100000', '--history_messages=10']}, async (world) => {
        const cut = await world.member('cut', {speed: SPEED});
        const other = await world.neighbour('other');
        cut.send(10);
        await cut.until('its own have come', () => cut.all('message').length === 10);
        world.network.breakDown(true);
        other.send(10000);
        await other.answered();
        await cut.until('the dead line is noticed', () => cut.states.includes('waiting'));
        world.network.restore();
        // What is sent before its join may be lost with the others.
        if (!isKept) await cut.until('the loss is told', () => cut.all('gap').length > 0);
        other.send(10);
        const {cut: journal} = await world.judge({mayLose: !isKept, members: [cut]});
        if (isKept) {
          assert.equal(journal.delivered.length, 10020);
        } else {
          assert.ok(journal.gaps.length > 0, 'no gap');
          assert.ok(journal.delivered.length >= 20, 'not even the newest came');
        }
      });
}

// A token of HS256 for a user who may join the group.
function newToken(key, secondsToLive) {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + secondsToLive;
  const text = `${encode({alg: 'HS256', typ: 'JWT'})}.${encode({sub: 'alice', exp, groups: ['g']})}`;
  return text + '.' + crypto.createHmac('sha256', key).update(text).digest('base64url');
}

const KEY = 'a secret of at least thirty-two bytes';

scenario('tokens expire, and fresh ones take their place', {
  serviceFlags: () => {
    const file = path.join(harness.temporaryFolder(), 'token.key');
    fs.writeFileSync(file, KEY, {mode: 0o600});
    return [`--token_keys=${file}`, '--token_leeway=0s'];
  },
}, async (world) => {
  // The first three of a client expire soon.
  const shortLived = () => {
    let count = 0;
    return () => newToken(KEY, ++count <= 3 ? 2 : 3600);
  };
  const a = await world.member('a', {newToken: shortLived()});
  const b = await world.member('b', {newToken: shortLived()});
  for (const wanted of [2, 3, 4]) {
    a.send(50);
    b.send(50);
    for (const driver of [a, b]) {
      await driver.until(`token ${wanted}`, () => driver.all('token_wanted').length >= wanted);
    }
  }
  const journals = await world.judge();
  assert.equal(journals.a.delivered.length, 300);
  for (const {name, states} of [a, b]) assert.ok(!states.includes('waiting'), `${name} had to connect again`);
});

scenario('a callback is slower than the server waits for a pong',
    {serviceFlags: ['--ping_interval=1s', '--pong_timeout=1s']}, async (world) => {
      const slow = await world.member('slow');
      const other = await world.neighbour('other');
      await slow.plan('message', 'block', {ms: 6000, text: 'other 5'});
      slow.send(50);
      other.send(100);
      await slow.until('it blocks', () => slow.all('does').length > 0);
      other.send(100);
      await slow.until('the server has closed its connection', () => slow.states.includes('waiting'));
      slow.send(50);
      const journals = await world.judge();
      assert.equal(journals.slow.delivered.length, 300);
    });

for (const event of ['message', 'joined', 'rejoined', 'sent', 'state']) {
  scenario(`close() comes from a callback: ${event}`, {}, async (world) => {
    const other = await world.member('other');
    const closer = world.driver('closer');
    if (event === 'joined') await closer.plan(event, 'close');
    closer.connect(world.network.port);
    closer.tell({do: 'join', group: 'g'});
    if (event !== 'joined') {
      await closer.until('it has joined', () => closer.all('joined').length > 0);
      await closer.plan(event, 'close');
    }
    closer.send(20);
    other.send(20);
    if (event === 'rejoined' || event === 'state') {
      await other.until('it runs', () => other.all('message').length > 0);
      for (const pid of world.service.workers()) process.kill(pid, 'SIGKILL');
    }
    await closer.until('it is closed', () => closer.all('closed').length > 0);
    await world.judge({members: [other]});
    await closer.finish();
    const after = closer.events.slice(closer.events.findIndex((one) => one.event === 'does'));
    const kinds = new Set(after.map((one) => one.event));
    for (const forbidden of ['message', 'joined', 'rejoined', 'gap']) {
      assert.ok(!kinds.has(forbidden), `${forbidden} after close()`);
    }
    assert.equal(closer.states.filter((state) => state === 'closed').length, 1);
  });
}

for (const [where, portOf] of [
  ['a service', (world) => world.service.port],
  ['a silent network', (world) => {
    world.network.breakDown(true);
    return world.network.port;
  }],
  ['a port where nobody is', async (world) => {
    const {port} = world.network;
    await world.network.stop();
    return port;
  }],
]) {
  scenario(`clients end while they connect to ${where}`, {}, async (world) => {
    const driver = world.driver('churn');
    const port = await portOf(world);
    driver.tell({do: 'churn', url: `ws://127.0.0.1:${port}`, count: 60});
    await driver.until('all have ended', () => driver.all('churned').length > 0);
    assert.deepEqual(driver.all('error'), []);
    driver.connect(world.service.port);
    await driver.join();
    driver.send(10);
    await world.judge();
  });
}

scenario('the clock is set back and forward', {serviceFlags: ['--ping_interval=1s']}, async (world) => {
  assert.ok(FAKETIME, 'libfaketime is not installed: run tools/test, which installs it.');
  const file = path.join(world.folder, 'clock');
  const setClock = (offset) => {
    fs.writeFileSync(file + '.new', offset + '\n');
    fs.renameSync(file + '.new', file);
  };
  setClock('+0');
  const environment = {
    LD_PRELOAD: FAKETIME, FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
  // JavaScript clients that live faster have other clocks, and these are the ones to test. They need 21 s.
  const moved = await world.member('moved', {speed: world.sdk.name === 'cpp' ? SPEED : undefined}, environment);
  const other = await world.neighbour('other');
  const days = 24 * 3600;
  for (const seconds of [-30, 30, -3600, 3600, -30 * days, 30 * days, 0]) {
    setClock((seconds < 0 ? '' : '+') + seconds);
    await moved.until(`its clock is set by ${seconds} s`, () => {
      moved.tell({do: 'clock'});
      const clock = moved.all('clock').pop();
      return clock && Math.abs(clock.wall_ms - Date.now() - seconds * 1000) < 20000;
    });
    moved.send(20);
    other.send(20);
    await moved.answered();
    await other.answered();
  }
  const journals = await world.judge();
  assert.equal(journals.moved.delivered.length, 280);
  assert.deepEqual(moved.states.filter((state) => state !== 'connecting'), ['open'], 'a healthy connection was dropped');

  // Also with a clock that was set back, a dead line is noticed.
  setClock('-3600');
  world.network.breakDown(true);
  moved.send(20);
  other.send(20);
  await moved.until('the dead line is noticed', () => moved.states.includes('waiting'));
  // Sends are in doubt now. The C++ SDK has a clock that goes on in sleep, and nobody can set it. A JavaScript program
  // has none: it may take the step for a sleep, and tell that the outcome is unknown.
  setClock('+3600');
  world.network.restore();
  await world.judge();
  if (world.sdk.name === 'cpp') assert.deepEqual(moved.all('not_sent'), []);
});

module.exports = {runScenarios};
