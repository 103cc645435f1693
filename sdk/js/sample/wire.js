'use strict';

// The wire between the SDK and the server: WebSockets that the page can watch and cut. The SDK gets `wire.WebSocket` as
// its option and knows nothing of this. A cut is real: the browser's WebSocket is closed, and while the wire is held no
// other one is made.

class Wire {
  /**
   * `watcher` gets onFrame(direction, text), with the direction 'in' or 'out', and onSocket(what): 'made', 'open' or
   * 'lost'.
   */
  constructor(watcher) {
    this.watcher = watcher;
    this.isHeld = false;
    this.connectionId = '';  // of the newest connection that was welcomed
    this.sockets = new Set();
    const wire = this;
    this.WebSocket = class extends WireSocket {
      constructor(url, protocols) {
        super(wire, url, protocols);
      }
    };
  }

  /** Closes what there is. The SDK learns of it as of any loss, and connects again. */
  cut() {
    for (const socket of [...this.sockets]) socket.cut();
  }

  /** No network, until release(). */
  hold() {
    this.isHeld = true;
    this.cut();
  }

  release() {
    this.isHeld = false;
  }
}

// The part of a WebSocket that the SDK uses.
class WireSocket {
  constructor(wire, url, protocols) {
    this.onmessage = null;
    this.onclose = null;
    this.onerror = null;
    this._wire = wire;
    this._isLost = false;
    this._isWelcome = false;
    this._socket = null;
    if (wire.isHeld) {
      // As a browser without a network: the attempt fails, soon but not at once.
      setTimeout(() => this._lose({code: 1006, reason: ''}), 0);
      return;
    }
    const socket = this._socket = new WebSocket(url, protocols);
    wire.sockets.add(this);
    wire.watcher.onSocket('made');
    socket.onopen = () => wire.watcher.onSocket('open');
    socket.onmessage = (event) => {
      if (!this._isWelcome) this._onWelcome(event.data);
      wire.watcher.onFrame('in', event.data);
      this.onmessage?.(event);
    };
    socket.onerror = (event) => this.onerror?.(event);
    socket.onclose = ({code, reason}) => this._lose({code, reason});
  }

  get readyState() {
    if (this._isLost) return WebSocket.CLOSED;
    return this._socket ? this._socket.readyState : WebSocket.CONNECTING;
  }

  send(text) {
    this._wire.watcher.onFrame('out', text);
    this._socket.send(text);
  }

  close() {
    if (this._socket) this._socket.close();
    else this._isLost = true;
  }

  cut() {
    this._socket.onmessage = this._socket.onerror = this._socket.onclose = null;
    this._socket.close();
    this._lose({code: 1006, reason: 'cut by the page'});
  }

  // The first frame.
  _onWelcome(text) {
    this._isWelcome = true;
    try {
      this._wire.connectionId = JSON.parse(text).connection_id || '';
    } catch (error) {
      // No server of this protocol. The SDK says so.
    }
  }

  _lose(event) {
    if (this._isLost) return;
    this._isLost = true;
    this._wire.sockets.delete(this);
    if (this._socket) this._wire.watcher.onSocket('lost');
    this.onclose?.(event);
  }
}
