/**
 * Groupcast for JavaScript: join groups and send to them over a WebSocket.
 *
 *     const client = new Client('ws://127.0.0.1:1234');     // Node before 22: , {WebSocket: require('ws')}
 *     await client.join('123', (message) => console.log(message));
 *     await client.send('123', 'hello');
 *     client.close();
 *
 * The constructor begins to connect, and the client reconnects until it is closed. After a reconnect its groups get
 * the messages that they missed, or `onGap` reports the loss. The client repeats the sends that have no answer yet, and
 * each of them counts once.
 * The promises and the types of all that is here are in groupcast.d.ts. docs/protocol.md has the frames on the wire.
 */

import {answer, watchAbort} from './answer.js';
import {Backoff} from './backoff.js';
import {Clock} from './clock.js';
import {GroupcastError, toError} from './error.js';
import {Groups} from './groups.js';
import {Link} from './link.js';
import {toMember} from './presence.js';
import {Reads} from './reads.js';
import {Sends} from './sends.js';
import {adoptSession, randomHex} from './session.js';
import {MessageStream} from './stream.js';
import {positiveOr, toGroupId, toMessageJson, toPosition} from './values.js';

// The errors of no command after which the server closes the connection. The close has the same reason.
const ENDS_CONNECTION = ['unauthorized', 'token_expired', 'too_many_connections'];

export class Client {
  constructor(url, options = {}) {
    this.url = String(url);
    const socketClass = options.WebSocket || (typeof WebSocket === 'function' ? WebSocket : null);
    if (!socketClass) {
      throw new GroupcastError('no_websocket',
          'no WebSocket here: pass {WebSocket: require("ws")}', false);
    }
    const {session, address} = adoptSession(this.url, options.session);
    this.session = session;
    this._error = null;  // the reason of the end
    this._listeners = {__proto__: null, state: new Set(), error: new Set()};

    let lastId = 0;
    const nextId = () => ++lastId;
    const clock = this._clock = new Clock(options.timers);
    const backoff = new Backoff(positiveOr(options.backoffBaseMs, 100), positiveOr(options.backoffCapMs, 10000),
        options.random || Math.random);
    const writable = () => this._link.writable;
    this._groups = new Groups(
        writable, clock, backoff, (callback) => this._call(callback), (error) => this._reportError(error));
    // The application may give a later client the same session. That client's keys must be different.
    this._sends = new Sends(writable, clock, backoff, nextId, randomHex(8) + '-',
        positiveOr(options.sendQueueBytesMax, 1024 * 1024));
    this._reads = new Reads(writable);
    this._rooms = [this._groups, this._sends, this._reads];
    const endAbort = watchAbort(options.signal, () => this.close());
    this._endAbort = endAbort;
    try {
      this._link = new Link({
        address, clock, nextId, backoff, token: options.token, WebSocket: socketClass,
        scope: options.scope || globalThis,
      }, {
        onOpen: () => {
          for (const room of this._rooms) room.onOpen();
        },
        onEvent: (event) => this._onEvent(event),
        onLost: () => this._groups.onLost(),
        onRefused: (error, detail) => {
          this._end(error, detail);
          this._reportError(error);
        },
        onState: (state, detail) => this._emit('state', {state, ...detail}),
        onTokenError: (error) => this._reportError(error),
      });
    } catch (error) {
      endAbort();
      throw error;
    }
  }

  get state() {
    return this._link.state;
  }

  on(event, listener) {
    if (!this._listeners[event]) throw new TypeError('no such event: ' + event);
    this._listeners[event].add(listener);
    return () => this._listeners[event].delete(listener);
  }

  join(groupId, onMessage, options = {}) {
    return this._answer(() => this._join(groupId, onMessage, options));
  }

  leave(groupId) {
    return this._answer(() => this._leave(toGroupId(groupId)));
  }

  send(groupId, message, {excludeSelf = false, signal} = {}) {
    return this._answer(() => {
      const id = toGroupId(groupId);
      return this._sends.send(id, toMessageJson(message, id), excludeSelf, signal);
    }, true);
  }

  history(groupId, {since, limit, signal} = {}) {
    return this._answer(() => {
      const id = toGroupId(groupId);
      const command = {cmd: 'group_history', group_id: id, limit};
      const from = toPosition(since);
      if (from !== null) command.since = from;
      return this._reads.read(command, signal)
          .then((reply) => toHistory(id, reply));
    });
  }

  members(groupId, {limit, after, countOnly, signal} = {}) {
    return this._answer(() => {
      const id = toGroupId(groupId);
      const command = {cmd: 'group_members', group_id: id, limit, after, count_only: countOnly};
      return this._reads.read(command, signal)
          .then(({count, members = [], next}) => ({groupId: id, count, members: members.map(toMember), next}));
    });
  }

  group(groupId, options = {}) {
    this._requireNotClosed();
    const id = toGroupId(groupId);
    return new MessageStream({
      join: (onMessage, more) => this._join(id, onMessage, {...options, ...more}, true),
      pause: () => this._groups.pause(id),
      resume: () => this._groups.resume(id),
      leave: () => this._leave(id),
      isWanted: ({code}) => code === 'left' || code === 'closed',
    }, options);
  }

  reconnect() {
    this._requireNotClosed();
    this._link.reconnect();
  }

  close() {
    this._end(new GroupcastError('closed', 'closed by close()', false), {});
  }

  _join(groupId, onMessage, options, isLoop = false) {
    this._requireNotClosed();
    const {since, history = null, signal} = options;
    const id = toGroupId(groupId);
    if (typeof onMessage !== 'function') throw new TypeError('onMessage must be a function');
    const from = toPosition(since);
    if (from !== null && history !== null) throw new TypeError('either since or history, not both');
    if (history !== null && !Number.isSafeInteger(history)) throw new TypeError('history must be an integer');
    const other = this._groups.get(id);
    if (other && (isLoop || other.isLoop)) throw new TypeError('a loop needs the group alone');
    const endAbort = watchAbort(signal, (reason) => this._groups.leave(id, reason).catch(() => {}));
    const {group, joined} = this._groups.join(id, {...options, onMessage}, {since: from, history, isLoop});
    group.endAbort();
    group.endAbort = endAbort;
    return joined;
  }

  _leave(id) {
    return this._groups.leave(id, new GroupcastError('left', 'the group was left', false, id));
  }

  // `isSend`: that nothing was sent is worth telling, also if the application itself closed the client.
  _answer(work, isSend = false) {
    return answer(this._clock, () => {
      this._requireNotClosed();
      return work();
    }, (error) => {
      if (!(error instanceof GroupcastError)) return;  // the application's own reason of an abort
      // The application's own leave() and close() are no news. A refusal is told once, for all.
      const isKnown = error.code === 'left' || error.code === 'refused' || (error.code === 'closed' && !isSend);
      if (!isKnown) this._reportError(error);
    });
  }

  _onEvent(event) {
    if (this._groups.onEvent(event)) return;
    if (event.event === null) {
      this._reportError(new GroupcastError('bad_json', 'the server sent something that is no event', false));
    } else if (event.event === 'error') {
      const isExpiry = event.code === 'token_expired' && event.cmd === 'authenticate';
      if (isExpiry && this._link.canRefresh) {
        this._link.refreshToken();
      } else if (event.cmd !== undefined || !ENDS_CONNECTION.includes(event.code)) {
        this._reportError(toError(event));
      }
    }
  }

  _end(error, detail) {
    if (this._error) return;
    this._error = error;  // first, so that no callback below can start new work
    this._endAbort();
    this._link.close();
    for (const room of this._rooms) room.onEnd((groupId) => this._endOf(groupId));
    this._emit('state', {state: 'closed', ...detail});
  }

  _endOf(groupId) {
    return new GroupcastError(this._error.code, this._error.message, false, groupId);
  }

  _requireNotClosed() {
    if (this._error) throw this._endOf();
  }

  _reportError(error) {
    if (this._listeners.error.size > 0) {
      this._emit('error', error);
    } else {
      console.error('groupcast: ' + error.code + ': ' + error.message);
    }
  }

  _emit(event, value) {
    for (const listener of [...this._listeners[event]]) this._call(() => listener(value));
  }

  // An error that a callback throws belongs to the application. It goes to the handler of uncaught errors, and does
  // not stop this client.
  _call(callback) {
    try {
      callback();
    } catch (error) {
      this._clock.after(0, () => { throw error; });
    }
  }
}

function toHistory(groupId, {epoch, offset, recovered, messages}) {
  const shown = Array.isArray(messages) ? messages.filter((message) => message.excluded !== true) : [];
  return {
    groupId, epoch, offset,
    recovered: recovered === true,
    messages: shown.map((message) => (
      {message: message.message, groupId, epoch, offset: message.offset, sentAt: message.sent_at})),
  };
}
