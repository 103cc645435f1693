'use strict';

// What the tests of groupcast.js share. There is no network: a test plays the server of a fake WebSocket, and moves
// a fake clock.

const assert = require('node:assert/strict');
// Another build, if the package's test gives one.
const {Client, GroupcastError} = require(process.env.GROUPCAST_FILE || './groupcast.js');
const groupcast = Client ? {Client, GroupcastError} : globalThis.groupcast;

class FakeTimers {
  constructor() {
    this.time = 1000;      // by the monotonic clock, which stands still while the machine sleeps
    this.wallTime = 1e12;
    this.timers = new Map();
    this.nextId = 1;
  }

  setTimeout(callback, ms) {
    assert.ok(ms >= 0 && ms <= 0x7fffffff, 'a real timer takes ' + ms + ' ms for none');
    this.timers.set(this.nextId, {at: this.time + ms, callback});
    return this.nextId++;
  }

  clearTimeout(id) {
    this.timers.delete(id);
  }

  now() {
    return this.time;
  }

  wallNow() {
    return this.wallTime;
  }

  // A computer that sleeps, or somebody who sets its clock: no time passes for the timers.
  sleep(ms) {
    this.wallTime += ms;
  }

  // A page whose timers are late: the clocks go on, and no timer ends.
  freeze(ms) {
    this._goTo(this.time + ms);
    for (const timer of this.timers.values()) timer.at += ms;
  }

  // Moves on, and runs what is due in its order, also what that sets up. Returns the number of callbacks.
  advance(ms) {
    let callbacks = 0;
    const until = this.time + ms;
    for (;;) {
      let first = null;
      for (const [id, timer] of this.timers) {
        if (timer.at <= until && (first === null || timer.at < this.timers.get(first).at)) first = id;
      }
      if (first === null) break;
      const {at, callback} = this.timers.get(first);
      this.timers.delete(first);
      this._goTo(Math.max(this.time, at));
      assert.ok(++callbacks <= 10000, 'the client spins');
      callback();
    }
    this._goTo(until);
    return callbacks;
  }

  _goTo(time) {
    this.wallTime += time - this.time;
    this.time = time;
  }
}

class FakeWebSocket {
  constructor(url, protocols) {
    this.url = url;
    this.protocols = protocols;
    this.readyState = 0;
    this.sent = [];
    this.closed = false;
    FakeWebSocket.all.push(this);
  }

  send(text) {
    assert.equal(this.readyState, 1, 'written to a socket that is not open');
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.closed = true;
    this.readyState = 3;
  }

  // What the server does:

  welcome(fields) {
    this.readyState = 1;
    this.hear(Object.assign({
      event: 'welcome', connection_id: 'c', ping_interval_ms: 25000,
      limits: {message_bytes: 65536, groups: 128, frame_bytes: 1048576, key_bytes: 64, key_window_ms: 120000},
    }, fields));
  }

  hear(event) {
    this.onmessage({data: JSON.stringify(event)});
  }

  // Answers the newest command of this kind.
  reply(cmd, fields) {
    this.hear(Object.assign({event: 'reply', id: this.last(cmd).id}, fields));
  }

  fail(cmd, code, retry) {
    this.hear({event: 'error', id: this.last(cmd).id, cmd, code, message: 'because', retry});
  }

  message(groupId, message, offset, previous) {
    this.hear({event: 'message', group_id: groupId, message, offset, previous, sent_at: 5});
  }

  // One of this session with exclude_self.
  excluded(groupId, offset, previous) {
    this.hear({event: 'message', group_id: groupId, offset, previous, excluded: true});
  }

  gap(groupId, epoch, from, to) {
    this.hear({event: 'gap', group_id: groupId, epoch, from, to});
  }

  breakDown(code, reason = '') {
    this.readyState = 3;
    this.onclose({code, reason});
  }

  commands(cmd) {
    return this.sent.filter((command) => command.cmd === cmd);
  }

  last(cmd) {
    const commands = this.commands(cmd);
    assert.ok(commands.length > 0, 'no ' + cmd + ' was written');
    return commands[commands.length - 1];
  }
}

// A client, the server's side of its newest connection, and what it was heard to say.
function make(options = {}, url = 'ws://here') {
  FakeWebSocket.all = [];
  const timers = new FakeTimers();
  const client = new groupcast.Client(url, Object.assign({
    WebSocket: FakeWebSocket, timers, random: () => 0.5,
  }, options));
  const states = [];
  const errors = [];
  client.on('state', (event) => states.push(event));
  client.on('error', (error) => errors.push(error));
  const sockets = FakeWebSocket.all;
  return {client, timers, states, errors, sockets, socket: () => sockets[sockets.length - 1]};
}

function makeOpen(options) {
  const world = make(options);
  world.socket().welcome();
  return world;
}

// Joins a group, plays the server's reply, and returns what the group's callbacks are told from then on: messages as
// [message, offset], ['recovered', offset], and gaps as they are.
async function joined(world, groupId, position, options = {}) {
  const log = [];
  const answer = world.client.join(groupId, (message, info) => log.push([message, info.offset]), Object.assign({
    onGap: (gap) => log.push(gap),
    onRecovered: ({offset}) => log.push(['recovered', offset]),
  }, options));
  world.socket().reply('add_group', Object.assign({group_id: groupId}, position));
  await answer;
  return log;
}

// Breaks the connection and lets the next one be welcomed.
function reconnect(world) {
  world.socket().breakDown(1006);
  world.timers.advance(10000);
  world.socket().welcome();
}

// Time goes by on a connection where something is heard now and then.
function passTime(world, ms) {
  for (let leftMs = ms; leftMs > 0; leftMs -= 10000) {
    world.timers.advance(Math.min(leftMs, 10000));
    world.socket().hear({event: 'something of a later version'});
  }
}

// Lets what settled promises have set off happen.
const settled = () => new Promise((resolve) => setImmediate(resolve));

const isError = (code, retry) => (error) => {
  assert.ok(error instanceof groupcast.GroupcastError, String(error));
  assert.equal(error.code, code);
  assert.equal(error.retry, retry);
  return true;
};

module.exports = {FakeWebSocket, groupcast, isError, joined, make, makeOpen, passTime, reconnect, settled};
