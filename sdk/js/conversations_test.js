'use strict';

// groupcast.js in the conversations of sdk/conversations, whose README.md explains their steps.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const test = require('node:test');
const {FakeWebSocket, groupcast, make, settled} = require('./fakes.js');

const FOLDER = path.join(__dirname, '..', 'conversations');
// The longest pause before a reconnect, with the default backoff.
const RECONNECT_MAX_MS = 10000;
// What a client may do in a second of time that passes. A client that does more spins.
const CALLBACKS_PER_SECOND_MAX = 10;

// Like npm's `ws`: close() waits for the peer, and terminate() does not.
class FakeNodeWebSocket extends FakeWebSocket {
  constructor(url, protocols) {
    super(url, protocols);
    this.isSilent = false;
    this.isGone = false;
  }

  once(event, listener) {
    assert.equal(event, 'unexpected-response');
    this.refuse = listener;
  }

  close() {
    const wasOpen = this.readyState === 1;
    this.readyState = 2;
    if (wasOpen && !this.isSilent) this.terminate();
  }

  terminate() {
    this.readyState = 3;
    this.isGone = true;
    if (this.onclose) this.onclose({code: 1005, reason: ''});
  }
}

// What a browser tells about the network and the page.
class FakeScope extends EventTarget {
  constructor() {
    super();
    this.document = new EventTarget();
    this.document.visibilityState = 'visible';
  }

  tell(what) {
    if (what === 'online' || what === 'offline') {
      this.dispatchEvent(new Event(what));
    } else {
      this.document.visibilityState = what;
      this.document.dispatchEvent(new Event('visibilitychange'));
    }
  }
}

class Conversation {
  constructor({needs = []}) {
    this.seesStates = needs.includes('connection');
    this.seen = [];     // what the user has seen since the last look
    this.results = [];  // the results of calls that came in this step
    this.others = [];   // what else came in it
    this.named = new Map();  // the commands that were read, by the names of the conversation
    this.unread = [];        // written by the client and not read by the server
    this.isSilent = false;
    this.scope = new FakeScope();
    this.asked = 0;     // the number of questions for a token that steps have not looked at
    this.answerToken = null;  // of the newest one
    this.world = null;
  }

  async run(step) {
    const [kind] = Object.keys(step);
    const handler = this[`${kind}_${step[kind]}`];
    assert.ok(handler, `no such step: ${JSON.stringify(step)}`);
    if (!this.world && !['connect', 'cannot_connect'].includes(step.user)) this.connect('ws://here');
    await handler.call(this, step);
    await settled();
    // Promises tell the results of calls a moment later than callbacks tell the rest.
    this.seen.push(...this.results, ...this.others);
    this.results = [];
    this.others = [];
  }

  connect(url, options = {}) {
    this.world = make({WebSocket: FakeNodeWebSocket, scope: this.scope, ...options}, url);
    this.timers = this.world.timers;
    this.answered = new Map();  // socket -> number of its commands that were looked at
    this.taken = 0;             // sockets that is_connected_to has seen
    const {client} = this.world;
    client.on('state', ({state}) => this.seesStates && this.others.push({state}));
    client.on('error', ({code, groupId}) => this.others.push({error: code, ...(groupId && {group: groupId})}));
  }

  get socket() {
    return this.world.socket();
  }

  // Takes what the client has written, and answers its pings.
  read() {
    const {socket} = this;
    if (!socket) return;  // the client waits for its first token
    const done = this.answered.get(socket) || 0;
    this.answered.set(socket, socket.sent.length);
    for (const command of socket.sent.slice(done)) {
      if (command.cmd !== 'ping') this.unread.push(command);
      else if (this.isSilent) this.unread.push(command);
      else socket.hear({event: 'reply', id: command.id, pong: true});
    }
  }

  async pass(ms) {
    const callbacksMax = 50 + CALLBACKS_PER_SECOND_MAX * ms / 1000;
    let callbacks = 0;
    for (let leftMs = ms; leftMs > 0;) {
      const step = Math.min(leftMs, 50);
      callbacks += this.timers.advance(step);
      leftMs -= step;
      this.read();
      await null;
    }
    this.timers.advance(0);
    assert.ok(callbacks <= callbacksMax, `${callbacks} timers in ${ms} ms`);
  }

  // Waits for the next attempt to connect.
  async reach(withinMs) {
    for (let ms = 0; this.world.sockets.length <= this.taken; ++ms) {
      assert.ok(ms <= withinMs, `no attempt to connect within ${withinMs} ms`);
      if (ms > 0) await this.pass(1);
      else this.timers.advance(0);
      if (ms >= withinMs) break;
    }
    assert.ok(this.world.sockets.length > this.taken, `no attempt to connect within ${withinMs} ms`);
    this.taken = this.world.sockets.length;
    this.unread = [];
    this.isSilent = false;
  }

  result(promise, onResult, onError) {
    promise.then((value) => this.results.push(onResult(value)), (error) => {
      assert.ok(error instanceof groupcast.GroupcastError, String(error && error.stack));
      this.results.push(onError(error.code));
    });
  }

  // ---- user ----

  user_connect({url, session, token}) {
    this.connect(url, {session, token: token === null ? () => this.askForToken() : token});
  }

  askForToken() {
    ++this.asked;
    return new Promise((resolve, reject) => { this.answerToken = {resolve, reject}; });
  }

  user_is_asked_for_a_token() {
    assert.equal(this.asked, 1, 'the questions for a token');
    this.asked = 0;
  }

  user_gives_token({token}) {
    this.asked = 0;
    this.answerToken.resolve(token);
  }

  user_gives_no_token() {
    this.asked = 0;
    this.answerToken.reject(new Error('there is none'));
  }

  user_cannot_connect({url, session}) {
    assert.throws(() => make({WebSocket: FakeNodeWebSocket, session}, url), TypeError);
  }

  user_join({group, since, history, members}) {
    const ids = (list) => list.map(({connectionId}) => connectionId);
    const promise = this.world.client.join(group, (message, {offset}) => this.others.push({message, group, offset}), {
      since, history,
      onMembers: members && ((all, {joined, left}) => this.others.push(
          {members: group, all: [...all.keys()].sort(), joined: ids(joined), left: ids(left)})),
      onGap: ({epoch, from, to}) => this.others.push({gap: group, epoch, from, to}),
      onRecovered: ({offset}) => this.others.push({rejoined: group, offset}),
    });
    this.result(promise, (joined) => ({joined: group, ...joined}), (code) => ({join_failed: group, code}));
  }

  user_leave({group}) {
    this.world.client.leave(group);
  }

  user_send({group, message, name, exclude_self: excludeSelf}) {
    this.result(this.world.client.send(group, message, {excludeSelf}),
        (position) => ({sent: name, ...position}), (code) => ({send_failed: name, code}));
  }

  user_members({group, name, limit, after, count_only: countOnly}) {
    this.result(this.world.client.members(group, {limit, after, countOnly}),
        ({count, members, next = null}) => (
          {read: name, count, ids: members.map(({connectionId}) => connectionId), next}),
        (code) => ({read_failed: name, code}));
  }

  user_close() {
    this.world.client.close();
  }

  user_reconnect() {
    try {
      this.world.client.reconnect();
    } catch (error) {
      if (!(error instanceof groupcast.GroupcastError)) throw error;  // the client has ended
    }
  }

  user_sees({events}) {
    assert.deepEqual(this.seen, events);
    this.seen = [];
  }

  // The user looks away.
  user_sees_anything() {
    this.seen = [];
  }

  // ---- server ----

  async server_is_connected_to({url, token, within_ms: withinMs = 0}) {
    await this.reach(withinMs);
    if (token !== undefined) {
      assert.deepEqual(this.socket.protocols, ['groupcast.v1.json', 'groupcast.token.' + token]);
    }
    if (url !== undefined) assert.equal(this.socket.url, url);
  }

  async server_is_left_alone_for({ms}) {
    await this.pass(ms);
    assert.equal(this.world.sockets.length, this.taken, 'the client tried to connect');
  }

  async server_is_disconnected_within({ms}) {
    await this.pass(ms);
    assert.ok(this.socket.isGone, 'the client still has a socket');
    assert.deepEqual([...this.timers.timers], [], 'the client still has timers');
  }

  async server_welcomes({fields}) {
    if (this.socket.readyState !== 0 || this.world.sockets.length > this.taken) await this.reach(RECONNECT_MAX_MS);
    this.socket.welcome(fields);
    this.read();
  }

  // Node's own WebSocket tells this with an error alone. Others have a close event too.
  server_is_unreachable() {
    this.socket.onerror({message: 'nobody is there'});
    this.timers.advance(0);
  }

  server_refuses({status, text}) {
    const listeners = {};
    const response = {statusCode: status, setEncoding() {}, on: (event, listener) => { listeners[event] = listener; }};
    this.socket.refuse({}, response);
    listeners.data(text);
    listeners.end();
  }

  server_reads({command, name, same_key_as: other}) {
    this.read();
    const found = this.unread.findIndex((written) => Object.entries(command).every(
        ([field, value]) => JSON.stringify(written[field]) === JSON.stringify(value)));
    assert.ok(found >= 0, `the client has not written ${JSON.stringify(command)}: ${JSON.stringify(this.unread)}`);
    const [written] = this.unread.splice(found, 1);
    if (other !== undefined) assert.equal(written.key, this.named.get(other).key);
    if (name !== undefined) this.named.set(name, written);
  }

  server_has_read_all() {
    this.read();
    assert.deepEqual(this.unread, []);
  }

  server_says({event, to}) {
    this.socket.hear(to === undefined ? event : {...event, id: this.named.get(to).id});
    this.read();
  }

  server_breaks({code, reason = ''}) {
    this.socket.isGone = true;
    this.socket.breakDown(code, reason);
  }

  server_falls_silent() {
    this.isSilent = this.socket.isSilent = true;
  }

  // ---- time and network ----

  async time_passes({ms}) {
    await this.pass(ms);
  }

  time_wall_clock({ms}) {
    this.timers.wallTime += ms;
  }

  time_sleep({ms}) {
    this.timers.sleep(ms);
  }

  network_online() {
    this.scope.tell('online');
  }

  network_offline() {
    this.scope.tell('offline');
  }

  network_visible() {
    this.scope.tell('visible');
  }

  network_hidden() {
    this.scope.tell('hidden');
  }
}

const files = fs.readdirSync(FOLDER).filter((name) => name.endsWith('.json'));
assert.ok(files.length > 0, 'no conversations in ' + FOLDER);
for (const file of files) {
  const {conversations} = JSON.parse(fs.readFileSync(path.join(FOLDER, file), 'utf8'));
  for (const script of conversations) {
    test(`${file}: ${script.name}`, async () => {
      const conversation = new Conversation(script);
      for (const [i, step] of script.steps.entries()) {
        try {
          await conversation.run(step);
        } catch (error) {
          error.message = `step ${i + 1}, ${JSON.stringify(step)}: ${error.message}`;
          throw error;
        }
      }
    });
  }
}
