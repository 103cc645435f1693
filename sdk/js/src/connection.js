// One connection to the server: its socket, from the attempt to the end, and the commands that wait for their answers.

import {toError} from './error.js';
import {Liveness} from './liveness.js';
import {positiveOr} from './values.js';

const SUBPROTOCOL = 'groupcast.v1.json';
const TOKEN_SUBPROTOCOL = 'groupcast.token.';

// From the connection attempt to the server's welcome. Over it the attempt counts as failed.
const CONNECT_TIMEOUT_MS = 10000;
// For the server's part of the closing handshake.
const CLOSE_TIMEOUT_MS = 1000;
const DEFAULT_PING_INTERVAL_MS = 25000;
// Of the text with which the server refuses a handshake.
const REFUSAL_TEXT_MAX = 500;
// WebSocket.OPEN
const OPEN = 1;

/**
 * `owner` gets
 * - onWelcome(), once;
 * - onEvent(event) for what answers no command;
 * - onLost({closeCode, reason, httpStatus?}), once, unless the owner closed or dropped the connection before.
 */
export class Connection {
  /** @throws the WebSocket constructor's error, for example for a malformed url */
  constructor({address, token, WebSocket, clock, nextId}, owner) {
    this.welcome = null;  // the server's event
    this.closing = null;  // the server's event
    this._clock = clock;
    this._nextId = nextId;
    this._owner = owner;
    this._pending = new Map();  // command id -> command written and not yet answered
    this._liveness = null;
    const socket = this._socket =
        new WebSocket(address, token ? [SUBPROTOCOL, TOKEN_SUBPROTOCOL + token] : [SUBPROTOCOL]);
    socket.onmessage = ({data}) => this._onFrame(data);
    socket.onclose = ({code, reason}) => this._lose({closeCode: code, reason});
    socket.onerror = (error) => this._onFailed(error);
    // `ws` of npm shows why a handshake fails. Other WebSockets hide it.
    socket.once?.('unexpected-response', (request, response) => this._onRefused(response));
    this._timer = clock.after(CONNECT_TIMEOUT_MS, () => this.abandon('no welcome in time'));
  }

  // After `closing`, or while the socket closes, a command may not arrive. It waits for the next connection.
  get canWrite() {
    return this.welcome !== null && this.closing === null && this._socket.readyState === OPEN;
  }

  // The server closes a connection that writes a larger frame.
  get frameBytesMax() {
    return positiveOr(this.welcome.limits?.frame_bytes, Infinity);
  }

  /**
   * Writes the text of a command with this id. `command` gets one of onReply(reply), onError(error) and onLost(), once,
   * or none if the command is forgotten before.
   */
  write(id, text, command) {
    this._pending.set(id, command);
    this._socket.send(text);
  }

  // The same with an id of its own, which it returns.
  ask(fields, command) {
    const id = this._nextId();
    this.write(id, JSON.stringify({id, ...fields}), command);
    return id;
  }

  forget(id) {
    this._pending.delete(id);
  }

  // Finds out soon whether the connection is still alive.
  probe() {
    if (this.canWrite) this._liveness.probe();
  }

  // Ends the connection without waiting for the peer, who may be gone.
  abandon(reason) {
    this._lose({closeCode: 1006, reason});
  }

  // Ends the connection and tells the server, but not the owner.
  close() {
    const socket = this._stop();
    if (!socket) return;
    if (socket.terminate) {
      // `ws` in Node would wait 30 s for an answer, and keep the program alive.
      const timer = this._clock.after(CLOSE_TIMEOUT_MS, () => socket.terminate());
      socket.onclose = () => this._clock.cancel(timer);
    }
    socket.close();
    this._failPending();
  }

  // Releases the socket and ignores its later events.
  _stop() {
    const socket = this._socket;
    this._socket = null;
    if (!socket) return null;
    this.welcome = null;
    this._clock.cancel(this._timer);
    this._liveness?.stop();
    socket.onmessage = socket.onclose = null;
    return socket;
  }

  _lose(loss) {
    const socket = this._stop();
    if (!socket) return;
    if (socket.terminate) socket.terminate(); else socket.close();
    this._failPending();
    this._owner.onLost(loss);
  }

  _failPending() {
    const pending = [...this._pending.values()];
    this._pending.clear();
    for (const command of pending) command.onLost();
  }

  // A close event follows, with more detail. But Node's own WebSocket has none for an attempt that failed.
  _onFailed({message}) {
    if (this.welcome || !this._socket) return;
    this._clock.cancel(this._timer);
    this._timer = this._clock.after(0, () => this.abandon(message || ''));
  }

  _onRefused(response) {
    let text = '';
    const lose = () => this._lose({
      closeCode: 1006, reason: text.trim() || 'HTTP ' + response.statusCode, httpStatus: response.statusCode,
    });
    response.setEncoding('utf8');
    response.on('data', (chunk) => {
      text = (text + chunk).slice(0, REFUSAL_TEXT_MAX);
    });
    response.on('end', lose);
    response.on('error', lose);
  }

  _onFrame(data) {
    let event;
    try {
      event = JSON.parse(data);
    } catch (error) {
      event = null;
    }
    if (event === null || typeof event !== 'object') event = {event: null};
    if (!this.welcome) {
      if (event.event === 'welcome') this._onWelcome(event);
      return;
    }
    const isPong = event.event === 'reply' && event.pong === true;
    this._liveness.heard(isPong ? event.id : undefined);
    const command = this._pending.get(event.id);
    if (event.event === 'reply' || (event.event === 'error' && command)) {
      if (!command) return;
      this._pending.delete(event.id);
      if (event.event === 'reply') command.onReply(event); else command.onError(toError(event));
      return;
    }
    if (event.event === 'closing') this.closing = event;
    this._owner.onEvent(event);
  }

  _onWelcome(welcome) {
    this._clock.cancel(this._timer);
    this.welcome = welcome;
    let pingId = null;
    this._liveness = new Liveness(
        this._clock, positiveOr(welcome.ping_interval_ms, DEFAULT_PING_INTERVAL_MS),
        () => {
          this.forget(pingId);
          pingId = this._writePing();
          return pingId;
        },
        () => this.abandon('no answer to a ping'));
    this._owner.onWelcome();
  }

  _writePing() {
    const ignore = () => {};
    // A socket that is closing takes no frame. Then no answer comes.
    if (this._socket.readyState !== OPEN) return this._nextId();
    return this.ask({cmd: 'ping'}, {onReply: ignore, onError: ignore, onLost: ignore});
  }
}
