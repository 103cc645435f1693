/**
 * Groupcast for JavaScript: join groups and send to them over a WebSocket.
 *
 * One file without dependencies, for browsers (global `groupcast`) and Node 18 or later (`require`).
 * Node before 22 has no WebSocket of its own: hand one over, such as npm's `ws`.
 *
 *     const client = new groupcast.Client('ws://127.0.0.1:1234');     // Node: , {WebSocket: require('ws')}
 *     await client.join('123', (message) => console.log(message));
 *     await client.send('123', 'hello');
 *     client.close();
 *
 * The client connects when it is made and reconnects until it is closed. After a reconnect it gets what its
 * groups missed, or is told by `onGap` what is lost; and it repeats the sends that have no answer yet, in a way
 * that makes each count once.
 * The types, and the promises in short, are in groupcast.d.ts; what goes over the wire is in docs/protocol.md.
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

  // From the connection attempt to the server's welcome; after it the attempt counts as failed.
  const CONNECT_TIMEOUT_MS = 10000;
  // The server pings every ping_interval_ms, but a browser shows no pings. So after that much silence and
  // this margin the client asks for itself, and takes the connection for dead without any answer in PONG_TIMEOUT_MS.
  const SILENCE_MARGIN_MS = 10000;
  const PONG_TIMEOUT_MS = 10000;
  const DEFAULT_PING_INTERVAL_MS = 25000;
  // `closing` may ask for a pause before the reconnect, but not for more than this.
  const RECONNECT_AFTER_MAX_MS = 60000;
  // A send without an answer is repeated with its key until so long after its first transmission. A worker may hold
  // the last of these for 30 s, and the server knows the key for 120 s: so it never takes one for a new message.
  const REPEAT_SEND_MS = 75000;
  const REPEAT_SEND_PAUSE_MAX_MS = 2000;
  // Of the errors that permit another try, those that say that nothing was done. Any other leaves a doubt.
  const NOT_DONE = ['unavailable', 'rate_limited'];
  // history() calls without an answer; over it: `queue_full`.
  const HISTORY_CALLS_MAX = 128;
  // Sends that are written and not answered at a time. Each answer takes some 150 bytes of what the server queues for
  // this client, which it closes if they do not fit: who comes back with very many would lose the connection again.
  const SENDS_IN_FLIGHT_MAX = 1000;
  // The server takes brackets nested 64 deep; the command around a message is the first.
  const MESSAGE_DEPTH_MAX = 63;
  // WebSocket.OPEN
  const OPEN = 1;

  /**
   * An error of the server, with the `code` that docs/protocol.md lists, or one of this client's own:
   *
   * | code              | retry | means                                                                            |
   * |-------------------|-------|----------------------------------------------------------------------------------|
   * | `queue_full`      | yes   | the sends without an answer are over `sendQueueBytesMax`, or 128 history() calls |
   * | `outcome_unknown` | no    | a send may or may not have been done; to send it again may double it             |
   * | `left`            | no    | leave() was called before the join was answered                                  |
   * | `closed`          | no    | the client is closed, by close() or for good by the server                       |
   * | `no_websocket`    | no    | there is no WebSocket here, and none was given                                   |
   *
   * `retry` says whether to make the same call later is safe and may work.
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

  // The server's own rule: an integer is taken as its decimal text.
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

  // Finds what makes a whole command unreadable. The server could not say which command its error is about,
  // so the promise would never settle.
  function checkJson(json, groupId) {
    let depth = 0;
    let inString = false;
    for (let i = 0; i < json.length; ++i) {
      const c = json[i];
      if (inString) {
        if (c === '"') {
          inString = false;
        } else if (c === '\\') {
          // JSON.stringify escapes a surrogate only if it stands alone.
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
      // A surrogate is half of a character of four bytes: two for each half.
      if (unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff)) ++bytes;
    }
    return bytes;
  }

  // A copy, because the caller may go on to change its own.
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

  // The offset that the lost messages come after; null if the group's history is another one after the gap.
  function gapStart(before, after) {
    return before.epoch === after.epoch && before.offset <= after.offset ? before.offset : null;
  }

  // Only with 4500 to 4999 does the server say not to come back. The codes of a protocol error (1002, 1003, 1007,
  // 1009) are no reason to stay away: what caused it is never written twice, and the backoff is a limit.
  function isFinal(closeCode) {
    return closeCode >= 4500 && closeCode <= 4999;
  }

  function positiveOr(value, fallback) {
    return typeof value === 'number' && value > 0 && Number.isFinite(value) ? value : fallback;
  }

  // One group the user wants to be in. It outlives connections: `joined` is about the current one.
  class Group {
    constructor(id, since, history) {
      this.id = id;
      this.onMessage = null;
      this.onGap = null;
      this.onRecovered = null;
      // {epoch, offset} of what was got last, or told to be lost; null while there is nothing to continue from.
      this.position = since;
      this.history = history;  // what to ask for while there is no position
      this.joined = false;     // the current connection's add_group has been answered
      this.wasJoined = false;  // some connection's was: join() has been answered
      this.waiters = [];       // {resolve, reject} of join() calls without an answer
      this.failures = 0;       // rejoins in a row that the server put off
      this.retryTimer = null;
    }
  }

  // One send, from send() until its promise settles. All its transmissions have the same text, and so the same key.
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
      this.mayBeDone = false;  // an earlier transmission had no answer, or none that is certain
      this.refusal = null;     // the newest error that permits another try
      this.failures = 0;       // how many of them
      this.retryTimer = null;
      this.deadlineTimer = null;
    }
  }

  class Client {
    /**
     * Starts to connect.
     *
     * @param {string} url such as 'ws://127.0.0.1:1234'
     * @param {object} [options]
     * @param {Function} [options.WebSocket] the constructor to use; default: the global one
     * @param {string} [options.session] 1 to 64 of A-Z, a-z, 0-9, _ and -; default: random. `excludeSelf` goes by
     *     it, so give the same again to remain oneself when the application starts anew. No two clients that are
     *     connected at the same time should have the same, unless they are to be as one for `excludeSelf`.
     * @param {number} [options.sendQueueBytesMax=1048576] bound of the sends without an answer, written or not, in
     *     bytes of UTF-8; over it send() rejects with `queue_full`, and what waits keeps waiting
     * @param {number} [options.backoffBaseMs=100] the first reconnect comes within this time
     * @param {number} [options.backoffCapMs=10000] and each later one within twice as much as before, up to this
     * @param {function(): number} [options.random=Math.random] for tests
     * @param {{setTimeout, clearTimeout, now}} [options.timers] for tests; default: the global ones and Date.now
     * @throws {GroupcastError} `no_websocket`
     * @throws {TypeError} for a malformed session
     * @throws what the WebSocket constructor throws, for example for a malformed url
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
      this._toWrite = new Set();  // of these, those to be written as soon as they may
      this._sendsInFlight = 0;    // how many are
      this._sendBytes = 0;        // theirs together
      this._reads = new Set();    // history() calls without an answer
      this._pending = new Map();  // command id -> command written to this connection and not yet answered
      this._nextId = 1;
      // The application may give a later client the same session, and its keys must be others.
      this._keyPrefix = randomHex(8) + '-';

      this._socket = null;
      this._welcome = null;       // of the current connection; null while there is none
      this._draining = null;      // the `closing` event, once it has come
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
     * Calls `listener` on each event of this name, until the function that is returned is called.
     *
     * `state`: the state is now {state, ...}:
     *   `connecting`: an attempt is under way;
     *   `open`: connected, groups are being joined again and sends without an answer are on their way;
     *   `waiting`: not connected, the next attempt comes in `retryInMs`; `closeCode`, `reason` of the last connection;
     *   `closed`: for good; `closeCode`, `reason` if the server ended it. The client cannot be used any more.
     * `error`: a GroupcastError that belongs to no promise: a group (`groupId`) could not be joined again and is
     *   gone, or the server did not say which command its error is about. Without a listener it goes to the console.
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
     * Joins a group, now or as soon as there is a connection, and again after each reconnect, where it left off.
     * To join again replaces the callbacks, and nothing else.
     *
     * `onMessage(message, {groupId, epoch, offset, sentAt})` gets each message once, in the group's order; those
     * of this client too.
     * `onGap({groupId, epoch, from, to})`: messages with an offset in (from, to] are lost to this member, and the
     * next message comes after them. `from` is null if that cannot be said, because the group's history is another
     * one now.
     * `onRecovered({groupId, epoch, offset})`: a member again after a reconnect. Everything after this position,
     * the one before the connection broke, follows: first what came in the meantime, then the live messages.
     *
     * By default one gets what comes after the join. `since`, a position {epoch, offset} that was told earlier,
     * asks for all that came after it; `history` for so many of the newest messages (the server has at most 100).
     *
     * @returns {Promise<{epoch: string, offset: number, recovered: boolean}>} where delivery begins. `recovered`
     *     is false if something after `since` is lost, which onGap is told too. Rejects with the server's error,
     *     `left` or `closed`. While there is no connection it stays pending.
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
     * Leaves a group. Its callbacks are not called any more, from now on. To leave a group one is not in is fine.
     *
     * @returns {Promise<void>}
     */
    async leave(groupId) {
      this._requireNotClosed();
      const id = toGroupId(groupId);
      const group = this._groups.get(id);
      if (!group) return undefined;
      this._forget(group, new GroupcastError('left', 'the group was left before it was joined', false, id));
      // Without a connection there is no membership: the next one simply does not join the group.
      if (!this._canWrite()) return undefined;
      return new Promise((resolve, reject) => {
        this._write(JSON.stringify({cmd: 'leave_group', id: this._nextId, group_id: id}), {
          onReply: () => resolve(),
          onError: reject,
          onLost: () => resolve(),  // a closed connection has left all its groups
        });
      });
    }

    /**
     * Sends any JSON value to a group; one need not be in it. Without a connection it waits. Without an answer it
     * is sent again, after a reconnect or after a pause, until 75 s after its first transmission; however often it
     * was transmitted, it counts once. Sends keep their order, except one that the server put off.
     *
     * With `excludeSelf` the clients of this session, so this one too, do not get it as members.
     *
     * @returns {Promise<{epoch: string, offset: number}>} the message's place in the group's order: it is done.
     *     Rejects with `outcome_unknown` if it may or may not have been done; with anything else it was not:
     *     `unavailable` (75 s long), `queue_full`, `closed`, or the server's refusal.
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
     * Reads a group's newest messages; one need not be in it. `limit`: at most so many (the server has at most 100);
     * `since`: only those after this position. What this session sent with `excludeSelf` is left out.
     *
     * @returns {Promise<{groupId, epoch, offset, recovered, messages}>} `messages`, oldest first: {message, groupId,
     *     epoch, offset, sentAt}; epoch and offset of the newest message there is; `recovered`: whether `messages`
     *     has everything after `since` (false without it). Rejects with the server's error, `queue_full` or
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
     * Ends the connection and the client. Sends that may have been done reject with `outcome_unknown`; other sends,
     * joins and history() calls without an answer with `closed`.
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
      socket.onerror = () => {};  // a close always follows, and says more
      this._connectTimer = this._timers.setTimeout(
          () => this._abandon('no welcome in time'), CONNECT_TIMEOUT_MS);
    }

    _onWelcome(welcome) {
      this._timers.clearTimeout(this._connectTimer);
      this._welcome = welcome;
      this._openedAt = this._timers.now();
      this._watchLiveness();
      for (const group of this._groups.values()) this._writeJoin(group);
      // The server lets a send wait for the joins before it, so these need not be answered first.
      this._toWrite = new Set(this._sends);
      this._writeSends();
      for (const read of this._reads) this._writeRead(read);
      this._setState('open', {});
    }

    // Nothing can be heard from the peer, so its close is not waited for.
    _abandon(reason) {
      this._onLost(1006, reason);
    }

    // Lets go of the socket: nothing that it still does is heard.
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

      // A server that accepts and closes at once must not be hammered, so only a connection that lasted
      // starts the backoff anew.
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

    // Full jitter: after a failure of the server its clients come back evenly spread, not in waves.
    _backoffMs(failures, capMs = this._backoffCapMs) {
      return this._random() * Math.min(capMs, this._backoffBaseMs * Math.pow(2, failures));
    }

    _end(why, detail) {
      if (this._state === 'closed') return;
      this._state = 'closed';  // at once, so that no callback below can start anything
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

    // Looks every now and then instead of setting a timer anew for each frame.
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

    // ---- What is written ----

    // After `closing`, or while the socket closes, what is written may not get there; the next connection is for it.
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
      if (!this._canWrite()) return;  // else the next connection does
      for (const send of this._toWrite) {
        if (this._sendsInFlight >= SENDS_IN_FLIGHT_MAX) return;
        this._toWrite.delete(send);
        this._writeSend(send);
      }
    }

    // Also for one that was written before: to an earlier connection, or to this one, which put it off.
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
        this._giveUp(send);  // the timer is late: the computer slept, or the browser slows hidden pages down
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

    // `error` is what to say if it is certain that none of the transmissions was or will be done.
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

    // ---- What is heard ----

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
      if (this._groups.get(group.id) !== group) return;  // left since
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
      // Its join() was answered long ago.
      if (group.wasJoined) this._reportError(error);
    }

    _onMessage(event) {
      const group = this._groups.get(event.group_id);
      // Not joined: a membership that was left, and was joined again before the server heard of it.
      if (!group || !group.joined) return;
      const before = group.position;
      if (event.offset <= before.offset) return;  // a duplicate
      if (event.previous > before.offset) {
        // The server has left something out and not said so.
        group.position = {epoch: before.epoch, offset: event.previous};
        this._tellGap(group, before.offset);
        if (this._groups.get(group.id) !== group) return;  // onGap has left it
      }
      group.position = {epoch: before.epoch, offset: event.offset};
      if (event.excluded === true) return;  // it only keeps the chain whole
      const about = {groupId: group.id, epoch: before.epoch, offset: event.offset, sentAt: event.sent_at};
      this._call(() => group.onMessage(event.message, about));
    }

    _onGap(event) {
      const group = this._groups.get(event.group_id);
      if (!group || !group.joined) return;
      const before = group.position;
      const after = {epoch: event.epoch, offset: event.to};
      // A gap that leads back tells of another history. What was got of it already is not to come again.
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

    // ---- Small things ----

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

    // What a callback throws is its owner's: it goes where uncaught errors go, and stops nothing here.
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
