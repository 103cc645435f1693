// The sends of a client, from send() until the promise settles.

import {watchAbort} from './answer.js';
import {GroupcastError} from './error.js';
import {utf8Length} from './values.js';

// The client repeats a send without an answer, with its key, for this time after the first transmission. A worker may
// hold the last repeat for 30 s, and the server knows the key for 120 s. So no repeat counts as a new message.
const REPEAT_SEND_MS = 75000;
const REPEAT_SEND_PAUSE_MAX_MS = 2000;
// The errors that permit another try and say that the message does not count. After any other the outcome is unknown.
const NOT_DONE = ['unavailable', 'rate_limited'];
// The number of sends that are written and not yet answered. Each answer takes about 150 bytes of the server's outbox
// for this client. If they do not fit, the server closes the connection, after each reconnect again.
const SENDS_IN_FLIGHT_MAX = 1000;

// One send. All its transmissions have the same text and the same key.
class Send {
  constructor(commandId, groupId, text, {resolve, reject}) {
    this.commandId = commandId;
    this.groupId = groupId;
    this.text = text;
    this.bytes = utf8Length(text);
    this.resolve = resolve;
    this.reject = reject;
    this.ageMs = null;       // since the first transmission, by a stopwatch
    this.connection = null;  // that it was written to, until the answer
    this.mayBeDone = false;  // an earlier transmission has no answer, or no certain one
    this.refusal = null;     // the newest error that permits another try
    this.failures = 0;       // the number of these errors
    this.retryTimer = null;
    this.deadlineTimer = null;
    this.endAbort = null;
  }
}

export class Sends {
  /**
   * @param {function(): Connection} writable the connection to write to; null if there is none
   * @param {Clock} clock
   * @param {Backoff} backoff
   * @param {function(): number} nextId
   * @param {string} keyPrefix different for each client of a session, also for one of an earlier run
   * @param {number} bytesMax
   */
  constructor(writable, clock, backoff, nextId, keyPrefix, bytesMax) {
    this._writable = writable;
    this._clock = clock;
    this._backoff = backoff;
    this._nextId = nextId;
    this._keyPrefix = keyPrefix;
    this._bytesMax = bytesMax;
    this._sends = new Set();    // oldest first: all that have not settled
    this._toWrite = new Set();  // those of them to write as soon as possible
    this._inFlight = 0;         // the number of them in flight
    this._bytes = 0;            // of all of them
  }

  /** `json` is the message. */
  send(groupId, json, excludeSelf, signal) {
    return new Promise((resolve, reject) => {
      const commandId = this._nextId();
      const text = '{"cmd":"send_to_group","id":' + commandId + ',"group_id":' + JSON.stringify(groupId) +
          ',"key":"' + this._keyPrefix + commandId + '"' + (excludeSelf ? ',"exclude_self":true' : '') +
          ',"message":' + json + '}';
      const send = new Send(commandId, groupId, text, {resolve, reject});
      if (this._bytes + send.bytes > this._bytesMax) {
        throw new GroupcastError('queue_full',
            'over ' + this._bytesMax + ' bytes of sends wait for an answer', true, groupId);
      }
      send.endAbort = watchAbort(signal, (reason) => {
        this._fail(send, reason);
        this._write();
      });
      this._sends.add(send);
      this._bytes += send.bytes;
      this._toWrite.add(send);
      this._write();
    });
  }

  // The server holds a send until the joins before it have their answers, so the client need not wait.
  onOpen() {
    this._toWrite = new Set(this._sends);
    this._write();
  }

  onEnd(errorOf) {
    for (const send of this._sends) this._fail(send, errorOf(send.groupId));
  }

  _write() {
    for (const send of this._toWrite) {
      // Otherwise the next connection, or the next answer, writes them.
      const connection = this._writable();
      if (!connection || this._inFlight >= SENDS_IN_FLIGHT_MAX) return;
      this._toWrite.delete(send);
      this._writeOne(send, connection);
    }
  }

  // Also for a repeat: of a send to an earlier connection, or to this one, which postponed it.
  _writeOne(send, connection) {
    const {frameBytesMax} = connection;
    if (send.bytes > frameBytesMax) {
      this._fail(send, new GroupcastError('message_too_large',
          'the command is over ' + frameBytesMax + ' bytes', false, send.groupId));
      return;
    }
    if (send.ageMs === null) {
      send.ageMs = this._clock.stopwatch();
      send.deadlineTimer = this._clock.after(REPEAT_SEND_MS, () => {
        this._giveUp(send);
        this._write();
      });
    } else if (send.ageMs() >= REPEAT_SEND_MS) {
      this._giveUp(send);  // the timer is late: the machine slept, or the browser slows hidden pages
      return;
    }
    this._clock.cancel(send.retryTimer);
    this._setConnection(send, connection);
    connection.write(send.commandId, send.text, {
      onReply: (reply) => {
        this._forget(send);
        send.resolve({epoch: reply.epoch, offset: reply.offset});
        this._write();
      },
      onError: (error) => this._onRefused(send, error),
      onLost: () => {  // the next connection repeats it
        this._setConnection(send, null);
        send.mayBeDone = true;
      },
    });
  }

  _setConnection(send, connection) {
    this._inFlight += (connection ? 1 : 0) - (send.connection ? 1 : 0);
    send.connection = connection;
  }

  _onRefused(send, error) {
    this._setConnection(send, null);
    error.groupId = send.groupId;
    this._write();
    if (!error.retry) {
      this._fail(send, error);
      return;
    }
    if (!NOT_DONE.includes(error.code)) send.mayBeDone = true;
    send.refusal = error;
    send.retryTimer = this._clock.after(this._backoff.delayMs(send.failures++, REPEAT_SEND_PAUSE_MAX_MS), () => {
      this._toWrite.add(send);
      this._write();
    });
  }

  _giveUp(send) {
    this._fail(send, send.refusal);
  }

  // `error` is the reason if it is certain that no transmission counts or will count.
  _fail(send, error) {
    const mayBeDone = send.connection || send.mayBeDone;
    this._forget(send);
    send.reject(mayBeDone ? new GroupcastError('outcome_unknown',
        'it may or may not have been sent', false, send.groupId) : error);
  }

  _forget(send) {
    if (send.connection) send.connection.forget(send.commandId);
    this._setConnection(send, null);
    this._sends.delete(send);
    this._toWrite.delete(send);
    this._bytes -= send.bytes;
    this._clock.cancel(send.retryTimer);
    this._clock.cancel(send.deadlineTimer);
    send.endAbort();
  }
}
