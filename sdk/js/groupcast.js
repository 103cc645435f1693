/**
 * Groupcast for JavaScript: join groups and send to them over a WebSocket.
 *
 * One file without dependencies, for browsers (global `groupcast`) and Node 18 or later (`require`).
 * Node before 22 has no WebSocket of its own: pass one, such as npm's `ws`.
 *
 *     const client = new groupcast.Client('ws://127.0.0.1:1234');     // Node: , {WebSocket: require('ws')}
 *     await client.join('123', (message) => console.log(message));
 *     await client.send('123', 'hello');
 *     client.close();
 *
 * The constructor begins to connect, and the client reconnects until it is closed. After a reconnect its groups get
 * the messages that they missed, or `onGap` reports the loss. The client repeats the sends that have no answer yet, and
 * each of them counts once.
 * The types, and the promises in short, are in groupcast.d.ts. docs/protocol.md has the frames on the wire.
 */
(function (root, factory) {
  if (typeof module === 'object' && module.exports) {
    module.exports = factory();
  } else {
    root.groupcast = factory();
  }
})(typeof globalThis === 'object' ? globalThis : self, function () {
  'use strict';

  const SUBPROTOCOL = 'groupcast.v1.json';

  // From the connection attempt to the server's welcome. Over it the attempt counts as failed.
  const CONNECT_TIMEOUT_MS = 10000;
  // The server pings every ping_interval_ms, but a browser does not show pings. After that time and this margin without
  // a frame, the client sends a ping command. Without any frame within PONG_TIMEOUT_MS the connection counts as dead.
  const SILENCE_MARGIN_MS = 10000;
  const PONG_TIMEOUT_MS = 10000;
  const DEFAULT_PING_INTERVAL_MS = 25000;
  // The longest pause before a reconnect that the event `closing` may ask for.
  const RECONNECT_AFTER_MAX_MS = 60000;
  // The client repeats a send without an answer, with its key, for this time after the first transmission. A worker may
  // hold the last repeat for 30 s, and the server knows the key for 120 s. So no repeat counts as a new message.
  const REPEAT_SEND_MS = 75000;
  const REPEAT_SEND_PAUSE_MAX_MS = 2000;
  // The errors that permit another try and say that the message does not count. After any other the outcome is unknown.
  const NOT_DONE = ['unavailable', 'rate_limited'];
  // The number of history() calls without an answer. Over it: `queue_full`.
  const HISTORY_CALLS_MAX = 128;
  // The number of sends that are written and not yet answered. Each answer takes about 150 bytes of the server's outbox
  // for this client. If they do not fit, the server closes the connection, after each reconnect again.
  const SENDS_IN_FLIGHT_MAX = 1000;
  // The server accepts brackets nested 64 deep. The command around a message is the first level.
  const MESSAGE_DEPTH_MAX = 63;
  // WebSocket.OPEN
  const OPEN = 1;

  /**
   * An error of the server, with the `code` that docs/protocol.md lists, or one of this client's own:
   *
   * | code              | retry | means                                                                            |
   * |-------------------|-------|----------------------------------------------------------------------------------|
   * | `queue_full`      | yes   | the sends without an answer are over `sendQueueBytesMax`, or 128 history() calls |
   * | `outcome_unknown` | no    | a send may or may not count; to send it again may double it                      |
   * | `left`            | no    | leave() was called before the join was answered                                  |
   * | `closed`          | no    | close() or the server closed the client for good                                 |
   * | `no_websocket`    | no    | this environment has no WebSocket, and the options have none                     |
   *
   * `retry` says whether the same call is safe later and may succeed.
   */
  class GroupcastError extends Error {
    constructor(code, message, retry, groupId) {
      super(message);
      this.name = 'GroupcastError';
      this.code = code;
      this.retry = retry;
      if (groupId !== undefined) this.groupId = groupId;
    }
  }

  // The server's own rule: an integer stands for its decimal text.
  function toGroupId(groupId) {
    if (Number.isSafeInteger(groupId)) return String(groupId);
    if (typeof groupId !== 'string') {
      throw new GroupcastError('group_id_invalid', 'group id must be a string or an integer', false);
    }
    checkJson(JSON.stringify(groupId), groupId);
    return groupId;
  }

  function toMessageJson(message, groupId) {
    let json;
    try {
      json = JSON.stringify(message);
    } catch (error) {
      throw new GroupcastError('bad_json', 'message has no JSON: ' + error.message, false, groupId);
    }
    if (json === undefined) {
      throw new GroupcastError('message_missing', 'message has no JSON value', false, groupId);
    }
    checkJson(json, groupId);
    return json;
  }

  // Finds defects that make a whole command unreadable. The server could not name the command in its error, so the
  // promise would never settle.
  function checkJson(json, groupId) {
    let depth = 0;
    let inString = false;
    for (let i = 0; i < json.length; ++i) {
      const c = json[i];
      if (inString) {
        if (c === '"') {
          inString = false;
        } else if (c === '\\') {
          // JSON.stringify escapes only lone surrogates.
          if (/^ud[89a-f]/.test(json.substr(i + 1, 3))) {
            throw new GroupcastError('bad_json', 'text has a lone surrogate', false, groupId);
          }
          ++i;
        }
      } else if (c === '"') {
        inString = true;
      } else if (c === '[' || c === '{') {
        if (++depth > MESSAGE_DEPTH_MAX) {
          throw new GroupcastError('bad_json', 'message is nested too deeply', false, groupId);
        }
      } else if (c === ']' || c === '}') {
        --depth;
      }
    }
  }

  function utf8Length(text) {
    let bytes = text.length;
    for (let i = 0; i < text.length; ++i) {
      const unit = text.charCodeAt(i);
      if (unit > 0x7f) ++bytes;
      // A surrogate is half of a character of four bytes, so it counts two.
      if (unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff)) ++bytes;
    }
    return bytes;
  }

  // Returns a copy, because the caller may change its own object later.
  function toPosition(since) {
    if (since === null || since === undefined) return null;
    if (!/^[0-9a-f]{16}$/.test(since.epoch) || !Number.isSafeInteger(since.offset) || since.offset < 0) {
      throw new TypeError('since must be a position that this client told: {epoch, offset}');
    }
    return {epoch: since.epoch, offset: since.offset};
  }

  function toSession(session) {
    if (session === undefined) return randomHex(16);
    if (typeof session !== 'string' || !/^[A-Za-z0-9_-]{1,64}$/.test(session)) {
      throw new TypeError('session must be 1 to 64 of A-Z, a-z, 0-9, _ and -');
    }
    return session;
  }

  function withSession(url, session) {
    const base = url.split('#', 1)[0];
    return base + (base.includes('?') ? '&' : '?') + 'session=' + session;
  }

  function randomHex(bytes) {
    const values = new Uint8Array(bytes);
    if (typeof crypto === 'object' && crypto.getRandomValues) {
      crypto.getRandomValues(values);
    } else {
      for (let i = 0; i < bytes; ++i) values[i] = Math.random() * 256;  // Node 18
    }
    return Array.from(values, (value) => value.toString(16).padStart(2, '0')).join('');
  }

  // The offset before the lost messages; null if the group has another history after the gap.
  function gapStart(before, after) {
    return before.epoch === after.epoch && before.offset <= after.offset ? before.offset : null;
  }

  // Only the codes 4500 to 4999 forbid a client to come back. After a protocol error (1002, 1003, 1007, 1009) it comes
  // back: it never writes the cause twice, and the backoff limits the rate.
  function isFinal(closeCode) {
    return closeCode >= 4500 && closeCode <= 4999;
  }

  function positiveOr(value, fallback) {
    return typeof value === 'number' && value > 0 && Number.isFinite(value) ? value : fallback;
  }

  // One group that the user wants to be in. It outlives connections; `joined` belongs to the current one.
  class Group {
    constructor(id, since, history) {
      this.id = id;
      this.onMessage = null;
      this.onGap = null;
      this.onRecovered = null;
      // {epoch, offset} of the last message that was received or reported as lost; null before the first one.
      this.position = since;
      this.history = history;  // the number to ask for while there is no position
      this.joined = false;     // the current connection's add_group has been answered
      this.wasJoined = false;  // a connection has joined it: join() has its answer
      this.waiters = [];       // {resolve, reject} of join() calls without an answer
      this.failures = 0;       // rejoins in a row that the server postponed
      this.retryTimer = null;
    }
  }

  // One send, from send() until its promise settles. All its transmissions have the same text and the same key.
  class Send {
    constructor(commandId, groupId, text, {resolve, reject}) {
      this.commandId = commandId;
      this.groupId = groupId;
      this.text = text;
      this.bytes = utf8Length(text);
      this.resolve = resolve;
      this.reject = reject;
      this.firstWrittenAt = null;
      this.inFlight = false;   // written to the current connection and not answered
      this.mayBeDone = false;  // an earlier transmission has no answer, or no certain one
      this.refusal = null;     // the newest error that permits another try
      this.failures = 0;       // the number of these errors
      this.retryTimer = null;
      this.deadlineTimer = null;
    }
  }

  class Client {
    /**
     * Begins to connect.
     *
     * @param {string} url for example 'ws://127.0.0.1:1234'
     * @param {object} [options]
     * @param {Function} [options.WebSocket] the constructor to use; default: the global one
     * @param {string} [options.session] 1 to 64 characters of A-Z, a-z, 0-9, _ and -; default: random. `excludeSelf`
     *     leaves out all clients of one session. Give the same value again to keep the session when the application
     *     starts again. Clients that are connected at the same time should have different sessions, unless they are
     *     one client for `excludeSelf`.
     * @param {number} [options.sendQueueBytesMax=1048576] bound of the sends without an answer, written or not, in
     *     bytes of UTF-8. Over it send() rejects with `queue_full`, and the earlier sends keep waiting.
     * @param {number} [options.backoffBaseMs=100] the first reconnect begins within this time
     * @param {number} [options.backoffCapMs=10000] the time doubles with each further reconnect, up to this
     * @param {function(): number} [options.random=Math.random] for tests
     * @param {{setTimeout, clearTimeout, now}} [options.timers] for tests; default: the global ones and Date.now
     * @throws {GroupcastError} `no_websocket`
     * @throws {TypeError} for a malformed session
     * @throws the WebSocket constructor's error, for example for a malformed url
     */
    constructor(url, options = {}) {
      this._url = String(url);
      this._WebSocket = options.WebSocket || (typeof WebSocket === 'function' ? WebSocket : null);
      if (!this._WebSocket) {
        throw new GroupcastError('no_websocket',
            'no WebSocket here: pass one, for example {WebSocket: require("ws")}', false);
      }
      this._session = toSession(options.session);
      this._sendQueueBytesMax = positiveOr(options.sendQueueBytesMax, 1024 * 1024);
      this._backoffBaseMs = positiveOr(options.backoffBaseMs, 100);
      this._backoffCapMs = positiveOr(options.backoffCapMs, 10000);
      this._random = options.random || Math.random;
      this._timers = options.timers || {
        setTimeout: (callback, ms) => setTimeout(callback, ms),
        clearTimeout: (timer) => clearTimeout(timer),
        now: () => Date.now(),
      };

      this._listeners = {state: new Set(), error: new Set()};
      this._groups = new Map();   // group id -> Group
      this._sends = new Set();    // Send, oldest first: all that have not settled
      this._toWrite = new Set();  // those of them to write as soon as possible
      this._sendsInFlight = 0;    // the number of them in flight
      this._sendBytes = 0;        // the bytes of all of them
      this._reads = new Set();    // history() calls without an answer
      this._pending = new Map();  // command id -> command written to this connection and not yet answered
      this._nextId = 1;
      // The application may give a later client the same session. That client's keys must be different.
      this._keyPrefix = randomHex(8) + '-';

      this._socket = null;
      this._welcome = null;       // of the current connection; null while there is none
      this._draining = null;      // the `closing` event, once it has arrived
      this._failures = 0;         // connections in a row that did not last
      this._connectTimer = null;  // for the welcome while connecting, for the next attempt while waiting
      this._livenessTimer = null;
      this._heardAt = 0;
      this._openedAt = 0;

      this._state = 'connecting';
      this._connect();
    }

    /** @returns {'connecting'|'open'|'waiting'|'closed'} */
    get state() {
      return this._state;
    }

    /** @returns {string} as it was given */
    get url() {
      return this._url;
    }

    /** @returns {string} the same over all reconnects */
    get session() {
      return this._session;
    }

    /**
     * Calls `listener` on each event of this name, until the returned function is called.
     *
     * `state`: the state is now {state, ...}:
     *   `connecting`: an attempt is under way;
     *   `open`: connected. The client joins its groups again and writes the sends without an answer;
     *   `waiting`: not connected. The next attempt begins in `retryInMs`; `closeCode`, `reason` of the last connection;
     *   `closed`: for good; `closeCode`, `reason` if the server ended it. The client cannot be used any more.
     * `error`: a GroupcastError that belongs to no promise. Either a group (`groupId`) could not be joined again and is
     *   gone, or the server's error names no command. Without a listener the error goes to the console.
     *
     * @returns {function(): void}
     */
    on(event, listener) {
      if (!Object.prototype.hasOwnProperty.call(this._listeners, event)) {
        throw new TypeError('no such event: ' + event);
      }
      this._listeners[event].add(listener);
      return () => this._listeners[event].delete(listener);
    }

    /**
     * Joins a group, now or as soon as there is a connection. After each reconnect it joins the group again, from its
     * last position. A second join of the group replaces the callbacks, and changes nothing else.
     *
     * `onMessage(message, {groupId, epoch, offset, sentAt})` gets each message once, in the group's order, including
     * this client's own messages.
     * `onGap({groupId, epoch, from, to})`: messages with an offset in (from, to] are lost to this member, and the
     * next message comes after them. `from` is null if the gap has no known beginning, because the group has another
     * history now.
     * `onRecovered({groupId, epoch, offset})`: the membership continues after a reconnect. The position is that before
     * the connection broke. All messages after it follow: first the missed ones, then the live ones.
     *
     * By default a member gets the messages after the join. `since`, an earlier position {epoch, offset}, asks for all
     * messages after it. `history` asks for that number of the newest messages (the server has at most 100).
     *
     * @returns {Promise<{epoch: string, offset: number, recovered: boolean}>} the position at which delivery begins.
     *     `recovered` is false if messages after `since` are lost; onGap gets that loss too. Rejects with the server's
     *     error, `left` or `closed`. While there is no connection it stays pending.
     */
    async join(groupId, onMessage,
        {onGap = null, onRecovered = null, since = null, history = null} = {}) {
      this._requireNotClosed();
      const id = toGroupId(groupId);
      if (typeof onMessage !== 'function') throw new TypeError('onMessage must be a function');
      const from = toPosition(since);
      if (from !== null && history !== null) throw new TypeError('either since or history, not both');
      let group = this._groups.get(id);
      const isNew = !group;
      if (isNew) {
        group = new Group(id, from, history);
        this._groups.set(id, group);
      }
      group.onMessage = onMessage;
      group.onGap = onGap;
      group.onRecovered = onRecovered;
      if (group.joined) return Object.assign({recovered: true}, group.position);
      const answer = new Promise((resolve, reject) => group.waiters.push({resolve, reject}));
      if (isNew && this._canWrite()) this._writeJoin(group);
      return answer;
    }

    /**
     * Leaves a group. From now on the client does not call the group's callbacks. To leave a group that this client is
     * not in has no effect.
     *
     * @returns {Promise<void>}
     */
    async leave(groupId) {
      this._requireNotClosed();
      const id = toGroupId(groupId);
      const group = this._groups.get(id);
      if (!group) return undefined;
      this._forget(group, new GroupcastError('left', 'the group was left before it was joined', false, id));
      // Without a connection there is no membership, and the next connection does not join the group.
      if (!this._canWrite()) return undefined;
      return new Promise((resolve, reject) => {
        this._write(JSON.stringify({cmd: 'leave_group', id: this._nextId, group_id: id}), {
          onReply: () => resolve(),
          onError: reject,
          onLost: () => resolve(),  // a closed connection leaves all its groups
        });
      });
    }

    /**
     * Sends any JSON value to a group. This client need not be a member. Without a connection the send waits. Without
     * an answer the client sends it again, after a reconnect or a pause, until 75 s after its first transmission. The
     * message counts once, however often it was transmitted. Sends keep their order, except a send that the server
     * postponed.
     *
     * With `excludeSelf` the members of this session, including this client, do not get the message.
     *
     * @returns {Promise<{epoch: string, offset: number}>} the message's place in the group's order: it counts.
     *     Rejects with `outcome_unknown` if the message may or may not count. With any other error it does not count:
     *     `unavailable` (for 75 s), `queue_full`, `closed`, or the server's refusal.
     */
    async send(groupId, message, {excludeSelf = false} = {}) {
      this._requireNotClosed();
      const id = toGroupId(groupId);
      const json = toMessageJson(message, id);
      return new Promise((resolve, reject) => {
        const commandId = this._nextId++;
        const text = '{"cmd":"send_to_group","id":' + commandId + ',"group_id":' + JSON.stringify(id) +
            ',"key":"' + this._keyPrefix + commandId + '"' + (excludeSelf ? ',"exclude_self":true' : '') +
            ',"message":' + json + '}';
        const send = new Send(commandId, id, text, {resolve, reject});
        if (this._sendBytes + send.bytes > this._sendQueueBytesMax) {
          reject(new GroupcastError('queue_full',
              'over ' + this._sendQueueBytesMax + ' bytes of sends wait for an answer', true, id));
          return;
        }
        this._sends.add(send);
        this._sendBytes += send.bytes;
        this._toWrite.add(send);
        this._writeSends();
      });
    }

    /**
     * Reads a group's newest messages. This client need not be a member. `limit`: at most this number (the server has
     * at most 100). `since`: only messages after this position. Messages that this session sent with `excludeSelf` are
     * left out.
     *
     * @returns {Promise<{groupId, epoch, offset, recovered, messages}>} `messages`, oldest first: {message, groupId,
     *     epoch, offset, sentAt}; epoch and offset of the group's newest message; `recovered`: whether `messages`
     *     has every message after `since` (false without it). Rejects with the server's error, `queue_full` or
     *     `closed`. While there is no connection it stays pending.
     */
    async history(groupId, {since = null, limit} = {}) {
      this._requireNotClosed();
      const id = toGroupId(groupId);
      const command = {cmd: 'group_history', group_id: id, limit};
      const from = toPosition(since);
      if (from !== null) command.since = from;
      if (this._reads.size >= HISTORY_CALLS_MAX) {
        throw new GroupcastError('queue_full', HISTORY_CALLS_MAX + ' history() calls wait already', true, id);
      }
      return new Promise((resolve, reject) => {
        const read = {command, resolve, reject};
        this._reads.add(read);
        if (this._canWrite()) this._writeRead(read);
      });
    }

    /**
     * Ends the connection and the client. Sends that may count reject with `outcome_unknown`. Other sends, joins and
     * history() calls without an answer reject with `closed`.
     */
    close() {
      this._end('closed by close()', {});
    }

    // ---- Connection ----

    _connect() {
      this._welcome = null;
      this._draining = null;
      const socket = new this._WebSocket(withSession(this._url, this._session), [SUBPROTOCOL]);
      this._socket = socket;
      socket.onmessage = (event) => this._onFrame(event.data);
      socket.onclose = (event) => this._onLost(event.code, event.reason);
      socket.onerror = () => {};  // a close event always follows, with more detail
      this._connectTimer = this._timers.setTimeout(
          () => this._abandon('no welcome in time'), CONNECT_TIMEOUT_MS);
    }

    _onWelcome(welcome) {
      this._timers.clearTimeout(this._connectTimer);
      this._welcome = welcome;
      this._openedAt = this._timers.now();
      this._watchLiveness();
      for (const group of this._groups.values()) this._writeJoin(group);
      // The server holds a send until the joins before it have their answers, so the client need not wait.
      this._toWrite = new Set(this._sends);
      this._writeSends();
      for (const read of this._reads) this._writeRead(read);
      this._setState('open', {});
    }

    // The peer is silent, so the client does not wait for its close.
    _abandon(reason) {
      this._onLost(1006, reason);
    }

    // Releases the socket and ignores its later events.
    _dropSocket(closeGently) {
      const socket = this._socket;
      this._socket = null;
      this._welcome = null;
      this._timers.clearTimeout(this._connectTimer);
      this._timers.clearTimeout(this._livenessTimer);
      if (!socket) return;
      socket.onmessage = socket.onclose = null;
      if (closeGently || typeof socket.terminate !== 'function') {
        socket.close();
      } else {
        socket.terminate();  // `ws` in Node would wait 30 s for an answer
      }
    }

    _onLost(closeCode, reason) {
      const lasted = this._welcome && this._timers.now() - this._openedAt >= this._backoffCapMs;
      const draining = this._draining;
      this._dropSocket(false);
      if (isFinal(closeCode)) {
        this._end('the server ended the connection: ' + closeCode + ' ' + reason, {closeCode, reason});
        return;
      }
      for (const group of this._groups.values()) {
        group.joined = false;
        this._timers.clearTimeout(group.retryTimer);
      }
      this._failPending();

      // Only a connection that lasted resets the backoff. So a server that accepts and closes at once gets few
      // attempts.
      if (lasted) this._failures = 0;
      let retryInMs = this._backoffMs(this._failures);
      if (draining) {
        retryInMs = Math.min(positiveOr(draining.reconnect_after_ms, retryInMs), RECONNECT_AFTER_MAX_MS);
      } else {
        ++this._failures;
      }
      this._connectTimer = this._timers.setTimeout(() => {
        this._connect();
        this._setState('connecting', {});
      }, retryInMs);
      this._setState('waiting', {retryInMs, closeCode, reason});
    }

    // Full jitter: after a failure of the server its clients come back evenly spread, and not in waves.
    _backoffMs(failures, capMs = this._backoffCapMs) {
      return this._random() * Math.min(capMs, this._backoffBaseMs * Math.pow(2, failures));
    }

    _end(why, detail) {
      if (this._state === 'closed') return;
      this._state = 'closed';  // first, so that no callback below can start new work
      this._dropSocket(true);
      const closed = (groupId) => new GroupcastError('closed', why, false, groupId);
      for (const group of Array.from(this._groups.values())) this._forget(group, closed(group.id));
      this._failPending();
      for (const send of this._sends) this._failSend(send, closed(send.groupId));
      for (const read of this._reads) read.reject(closed(read.command.group_id));
      this._reads.clear();
      this._emit('state', Object.assign({state: 'closed'}, detail));
    }

    _failPending() {
      const pending = Array.from(this._pending.values());
      this._pending.clear();
      for (const command of pending) command.onLost();
    }

    // Checks from time to time, instead of setting a new timer for each frame.
    _watchLiveness() {
      const silenceMaxMs =
          positiveOr(this._welcome.ping_interval_ms, DEFAULT_PING_INTERVAL_MS) + SILENCE_MARGIN_MS;
      const check = () => {
        const leftMs = this._heardAt + silenceMaxMs - this._timers.now();
        if (leftMs > 0) {
          this._livenessTimer = this._timers.setTimeout(check, leftMs);
          return;
        }
        const askedAt = this._timers.now();
        this._write(JSON.stringify({cmd: 'ping', id: this._nextId}),
            {onReply: () => {}, onError: () => {}, onLost: () => {}});
        this._livenessTimer = this._timers.setTimeout(() => {
          if (this._heardAt >= askedAt) {
            check();
          } else {
            this._abandon('no answer to a ping');
          }
        }, PONG_TIMEOUT_MS);
      };
      check();
    }

    // ---- Writing ----

    // After `closing`, or while the socket closes, a command may not arrive. It waits for the next connection.
    _canWrite() {
      return this._welcome !== null && this._draining === null && this._socket.readyState === OPEN;
    }

    _write(text, command) {
      this._pending.set(this._nextId++, command);
      this._socket.send(text);
    }

    _writeJoin(group) {
      const command = {cmd: 'add_group', id: this._nextId, group_id: group.id};
      if (group.position !== null) {
        command.since = group.position;
      } else if (group.history !== null) {
        command.history = group.history;
      }
      this._write(JSON.stringify(command), {
        onReply: (reply) => this._onJoined(group, reply),
        onError: (error) => this._onJoinFailed(group, error),
        onLost: () => {},  // the next connection joins it
      });
    }

    _writeSends() {
      if (!this._canWrite()) return;  // the next connection writes them
      for (const send of this._toWrite) {
        if (this._sendsInFlight >= SENDS_IN_FLIGHT_MAX) return;
        this._toWrite.delete(send);
        this._writeSend(send);
      }
    }

    // Also for a repeat: of a send to an earlier connection, or to this one, which postponed it.
    _writeSend(send) {
      const limits = this._welcome.limits || {};
      if (send.bytes > positiveOr(limits.frame_bytes, Infinity)) {
        // The server would close the connection.
        this._failSend(send, new GroupcastError('message_too_large',
            'the command is over ' + limits.frame_bytes + ' bytes', false, send.groupId));
        return;
      }
      const now = this._timers.now();
      if (send.firstWrittenAt === null) {
        send.firstWrittenAt = now;
        send.deadlineTimer = this._timers.setTimeout(() => {
          this._giveUp(send);
          this._writeSends();
        }, REPEAT_SEND_MS);
      } else if (now - send.firstWrittenAt >= REPEAT_SEND_MS) {
        this._giveUp(send);  // the timer is late: the computer slept, or the browser slows hidden pages
        return;
      }
      this._timers.clearTimeout(send.retryTimer);
      this._setInFlight(send, true);
      this._pending.set(send.commandId, {
        onReply: (reply) => {
          this._forgetSend(send);
          send.resolve({epoch: reply.epoch, offset: reply.offset});
          this._writeSends();
        },
        onError: (error) => this._onSendRefused(send, error),
        onLost: () => {  // the next connection repeats it
          this._setInFlight(send, false);
          send.mayBeDone = true;
        },
      });
      this._socket.send(send.text);
    }

    _setInFlight(send, inFlight) {
      this._sendsInFlight += (inFlight ? 1 : 0) - (send.inFlight ? 1 : 0);
      send.inFlight = inFlight;
    }

    _onSendRefused(send, error) {
      this._setInFlight(send, false);
      error.groupId = send.groupId;
      this._writeSends();
      if (!error.retry) {
        this._failSend(send, error);
        return;
      }
      if (!NOT_DONE.includes(error.code)) send.mayBeDone = true;
      send.refusal = error;
      send.retryTimer = this._timers.setTimeout(() => {
        this._toWrite.add(send);
        this._writeSends();
      }, this._backoffMs(send.failures++, REPEAT_SEND_PAUSE_MAX_MS));
    }

    _giveUp(send) {
      this._pending.delete(send.commandId);
      this._failSend(send, send.refusal);
    }

    // `error` is the reason if it is certain that no transmission counts or will count.
    _failSend(send, error) {
      const mayBeDone = send.inFlight || send.mayBeDone;
      this._forgetSend(send);
      send.reject(mayBeDone ? new GroupcastError('outcome_unknown',
          'there was no certain answer: it may or may not have been sent', false, send.groupId) : error);
    }

    _forgetSend(send) {
      this._setInFlight(send, false);
      this._sends.delete(send);
      this._toWrite.delete(send);
      this._sendBytes -= send.bytes;
      this._timers.clearTimeout(send.retryTimer);
      this._timers.clearTimeout(send.deadlineTimer);
    }

    _writeRead(read) {
      this._write(JSON.stringify(Object.assign({id: this._nextId}, read.command)), {
        onReply: (reply) => {
          this._reads.delete(read);
          read.resolve(this._toHistory(read.command.group_id, reply));
        },
        onError: (error) => {
          this._reads.delete(read);
          read.reject(error);
        },
        onLost: () => {},  // the next connection asks again
      });
    }

    // ---- Reading ----

    _onFrame(data) {
      this._heardAt = this._timers.now();
      let event;
      try {
        event = JSON.parse(data);
      } catch (error) {
        event = null;
      }
      if (event === null || typeof event !== 'object') {
        this._reportError(new GroupcastError('bad_json', 'the server sent something that is no event', false));
        return;
      }
      if (!this._welcome) {
        if (event.event === 'welcome') this._onWelcome(event);
        return;
      }
      switch (event.event) {
        case 'reply': return this._onReply(event);
        case 'error': return this._onError(event);
        case 'message': return this._onMessage(event);
        case 'gap': return this._onGap(event);
        case 'closing': this._draining = event; return undefined;
        default: return undefined;  // of a later version
      }
    }

    _takePending(id) {
      const command = this._pending.get(id);
      this._pending.delete(id);
      return command;
    }

    _onReply(reply) {
      const command = this._takePending(reply.id);
      if (command) command.onReply(reply);
    }

    _onError(event) {
      const command = this._takePending(event.id);
      const error = new GroupcastError(event.code, event.message, event.retry === true);
      if (command) {
        command.onError(error);
      } else {
        this._reportError(error);
      }
    }

    _onJoined(group, reply) {
      if (this._groups.get(group.id) !== group) return;  // the group was left
      const before = group.position;
      const isRejoin = group.wasJoined;
      group.joined = group.wasJoined = true;
      group.failures = 0;
      let recovered = true;
      if (before === null || reply.recovered !== true || reply.epoch !== before.epoch) {
        group.position = {epoch: reply.epoch, offset: reply.offset};
        recovered = before === null;
      }
      const waiters = group.waiters;
      group.waiters = [];
      for (const waiter of waiters) waiter.resolve(Object.assign({recovered}, group.position));
      if (!recovered) {
        this._tellGap(group, gapStart(before, group.position));
      } else if (isRejoin && group.onRecovered) {
        const about = Object.assign({groupId: group.id}, group.position);
        this._call(() => group.onRecovered(about));
      }
    }

    _onJoinFailed(group, error) {
      if (this._groups.get(group.id) !== group) return;
      error.groupId = group.id;
      if (group.wasJoined && error.retry) {
        group.retryTimer = this._timers.setTimeout(() => {
          if (this._canWrite()) this._writeJoin(group);
        }, this._backoffMs(group.failures++));
        return;
      }
      this._forget(group, error);
      // Its join() has its answer already.
      if (group.wasJoined) this._reportError(error);
    }

    _onMessage(event) {
      const group = this._groups.get(event.group_id);
      // Not joined: the message belongs to an earlier membership, which was left and joined again.
      if (!group || !group.joined) return;
      const before = group.position;
      if (event.offset <= before.offset) return;  // a duplicate
      if (event.previous > before.offset) {
        // The server left messages out without a gap event.
        group.position = {epoch: before.epoch, offset: event.previous};
        this._tellGap(group, before.offset);
        if (this._groups.get(group.id) !== group) return;  // onGap left the group
      }
      group.position = {epoch: before.epoch, offset: event.offset};
      if (event.excluded === true) return;  // it only keeps the chain complete
      const about = {groupId: group.id, epoch: before.epoch, offset: event.offset, sentAt: event.sent_at};
      this._call(() => group.onMessage(event.message, about));
    }

    _onGap(event) {
      const group = this._groups.get(event.group_id);
      if (!group || !group.joined) return;
      const before = group.position;
      const after = {epoch: event.epoch, offset: event.to};
      // A gap that leads back reports another history. Messages of it that came already must not come again.
      if (after.epoch !== before.epoch || after.offset > before.offset) group.position = after;
      this._tellGap(group, gapStart(before, after));
    }

    // The gap ends at the group's position.
    _tellGap(group, from) {
      if (!group.onGap) return;
      const {epoch, offset} = group.position;
      this._call(() => group.onGap({groupId: group.id, epoch, from, to: offset}));
    }

    _toHistory(groupId, {epoch, offset, recovered, messages}) {
      const shown = Array.isArray(messages) ? messages.filter((message) => message.excluded !== true) : [];
      return {
        groupId, epoch, offset,
        recovered: recovered === true,
        messages: shown.map((message) => (
          {message: message.message, groupId, epoch, offset: message.offset, sentAt: message.sent_at})),
      };
    }

    // ---- Helpers ----

    _requireNotClosed() {
      if (this._state === 'closed') throw new GroupcastError('closed', 'the client is closed', false);
    }

    _forget(group, error) {
      this._groups.delete(group.id);
      this._timers.clearTimeout(group.retryTimer);
      const waiters = group.waiters;
      group.waiters = [];
      for (const waiter of waiters) waiter.reject(error);
    }

    _setState(state, detail) {
      this._state = state;
      this._emit('state', Object.assign({state}, detail));
    }

    _reportError(error) {
      if (this._listeners.error.size > 0) {
        this._emit('error', error);
      } else if (typeof console === 'object') {
        console.error('groupcast: ' + error.code + ': ' + error.message);
      }
    }

    _emit(event, value) {
      for (const listener of Array.from(this._listeners[event])) this._call(() => listener(value));
    }

    // An error that a callback throws belongs to the application. It goes to the handler of uncaught errors, and does
    // not stop this client.
    _call(callback) {
      try {
        callback();
      } catch (error) {
        this._timers.setTimeout(() => { throw error; }, 0);
      }
    }
  }

  return {Client, GroupcastError};
});
