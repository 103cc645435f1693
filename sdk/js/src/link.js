// Keeps a connection to the server: connects, connects again when it is lost, and says when that is not possible.

import {Connection} from './connection.js';
import {GroupcastError} from './error.js';
import {watchNetwork} from './network_events.js';
import {positiveOr} from './values.js';

// The longest pause before a reconnect that the event `closing` may ask for.
const RECONNECT_AFTER_MAX_MS = 60000;
// When the network is back, all clients of a place notice it at once. Their attempts are spread over this time.
const RESUME_SPREAD_MS = 500;
const TOKEN_TIMEOUT_MS = 10000;

// What no further attempt can change: the request or its origin is wrong, or a close code forbids to come back. After a
// protocol error (1002, 1003, 1007, 1009) the client does come back: it never writes the cause twice, and the backoff
// limits the rate.
function isFinal({closeCode, httpStatus}) {
  return [400, 401, 403].includes(httpStatus) || (closeCode >= 4500 && closeCode <= 4999);
}

// The codes that a fresh token may help against.
function asksForToken({closeCode}) {
  return closeCode === 4500 || closeCode === 4501;
}

/**
 * `owner` gets
 * - onOpen(): there is a connection; this is the time to write;
 * - onEvent(event): what the server said;
 * - onLost(): the connection is gone, and another one will come;
 * - onRefused(error, detail): the connection is gone for good;
 * - onState(state, detail);
 * - onTokenError(error): the token callback failed while the connection works.
 */
export class Link {
  /**
   * @param {object} options address, token, WebSocket, clock, nextId, backoff, scope
   * @throws the WebSocket constructor's error
   */
  constructor(options, owner) {
    this.state = 'connecting';
    this._options = options;
    this._owner = owner;
    this._connection = null;     // also while it connects
    this._failures = 0;          // connections in a row that did not last
    this._attempt = 0;           // the number of attempts; those that wait for a token know theirs
    this._freshTokenTried = false;  // since a connection lasted
    this._openedAt = null;       // the connection, if it is open
    this._timer = null;          // for the token while connecting, for the next attempt while waiting
    this._waiting = null;        // {until, detail, isAsked} of state 'waiting'
    this._endWatch = () => {};
    this._connect();
    this._endWatch = watchNetwork(options.scope, options.clock, (sign) => this._onNetworkChange(sign));
  }

  // The connection that commands can be written to; null if there is none.
  get writable() {
    return this._connection?.canWrite ? this._connection : null;
  }

  get canRefresh() {
    return typeof this._options.token === 'function';
  }

  reconnect() {
    if (this.state === 'closed') return;
    this._drop();
    this._failures = 0;
    this._owner.onLost();
    this._start();
  }

  close() {
    this.state = 'closed';
    this._endWatch();
    this._drop();
  }

  // The token of the connection has expired. It works on for a while.
  async refreshToken() {
    const {token} = this._options;
    const connection = this._connection;
    try {
      const fresh = await token();
      if (connection !== this.writable) return;
      connection.ask({cmd: 'authenticate', token: fresh},
          {onReply: () => {}, onError: (error) => this._owner.onTokenError(error), onLost: () => {}});
    } catch (error) {
      if (this.state !== 'closed') this._owner.onTokenError(noToken(error));
    }
  }

  // Only a connection that lasted resets the backoff. So a server that accepts and closes at once gets few attempts.
  _noteHowLongItLasted() {
    const {clock, backoff} = this._options;
    if (this._openedAt !== null && clock.now() - this._openedAt >= backoff.capMs) {
      this._failures = 0;
      this._freshTokenTried = false;
    }
    this._openedAt = null;
  }

  // Closes what there is, and makes a late token useless.
  _drop() {
    this._noteHowLongItLasted();
    ++this._attempt;
    this._options.clock.cancel(this._timer);
    this._waiting = null;
    const connection = this._connection;
    this._connection = null;
    connection?.close();
  }

  _start() {
    this.state = 'connecting';
    this._connect();
    // The token callback may have closed the client.
    if (this.state === 'connecting') this._owner.onState('connecting', {});
  }

  _connect() {
    const {token, clock} = this._options;
    if (typeof token !== 'function') {
      this._open(token);
      return;
    }
    const attempt = ++this._attempt;
    const fail = (error) => {
      if (attempt !== this._attempt) return;
      ++this._attempt;
      clock.cancel(this._timer);
      this._onLost({closeCode: 1006, reason: noToken(error).message});
    };
    this._timer = clock.after(TOKEN_TIMEOUT_MS, () => fail(new Error('it takes too long')));
    new Promise((resolve) => resolve(token())).then((value) => {
      if (attempt !== this._attempt) return;
      clock.cancel(this._timer);
      try {
        this._open(value);
      } catch (error) {
        this._end(error.message, {});
      }
    }, fail);
  }

  _open(token) {
    this._connection = new Connection({...this._options, token}, {
      onWelcome: () => {
        this._openedAt = this._options.clock.now();
        this.state = 'open';
        this._owner.onOpen();
        this._owner.onState('open', {});
      },
      onEvent: (event) => this._owner.onEvent(event),
      onLost: (loss) => {
        this._noteHowLongItLasted();
        this._onLost(loss);
      },
    });
  }

  _onLost(loss) {
    const closing = this._connection?.closing;
    this._connection = null;
    if (isFinal(loss)) {
      const mayTryToken = this.canRefresh && asksForToken(loss) && !this._freshTokenTried;
      if (!mayTryToken) {
        this._end((loss.httpStatus || loss.closeCode) + ' ' + loss.reason, loss);
        return;
      }
      this._freshTokenTried = true;
    }
    let retryInMs = this._options.backoff.delayMs(this._failures);
    if (closing) {
      retryInMs = Math.min(positiveOr(closing.reconnect_after_ms, retryInMs), RECONNECT_AFTER_MAX_MS);
    } else {
      ++this._failures;
    }
    this._owner.onLost();
    this._wait(retryInMs, loss, !!closing);
  }

  _wait(retryInMs, loss, isAsked) {
    const {clock} = this._options;
    this._waiting = {until: clock.now() + retryInMs, loss, isAsked};
    clock.cancel(this._timer);
    this._timer = clock.after(retryInMs, () => {
      this._waiting = null;
      this._start();
    });
    this.state = 'waiting';
    this._owner.onState('waiting', {retryInMs, ...loss});
  }

  _end(reason, loss) {
    this.close();
    this._owner.onRefused(new GroupcastError('refused', 'the server refused this client: ' + reason, false), loss);
  }

  _onNetworkChange(sign) {
    const {clock, backoff} = this._options;
    if (this.state === 'open') {
      this._connection.probe();
    } else if (sign === 'offline') {
      // There may be a way to the server yet, for example to one on this machine.
    } else if (this.state === 'waiting') {
      // The server asked for its pause; it has a reason.
      const {until, loss, isAsked} = this._waiting;
      if (!isAsked && until - clock.now() > RESUME_SPREAD_MS) {
        this._wait(backoff.spreadMs(RESUME_SPREAD_MS), loss, false);
      }
    } else if (sign === 'online' && this._connection) {
      // The attempt began in the network that is gone.
      this._drop();
      this._wait(backoff.spreadMs(RESUME_SPREAD_MS), {closeCode: 1006, reason: 'the network has changed'}, false);
    }
  }
}

function noToken(error) {
  return new GroupcastError('no_token', 'the token callback failed: ' + (error?.message || error), true);
}
