// Finds out that a connection is dead although nobody closed it.

// The server pings every ping_interval_ms, but a browser does not show pings. After that time and this margin without
// a frame, the client sends a ping command. Without an answer within PONG_TIMEOUT_MS the connection counts as dead.
const SILENCE_MARGIN_MS = 10000;
const PONG_TIMEOUT_MS = 10000;
// The same after a sign that the network has changed.
const PROBE_TIMEOUT_MS = 1500;

export class Liveness {
  /**
   * @param {Clock} clock
   * @param {number} pingIntervalMs of the server
   * @param {function(): *} writePing writes a ping, and returns its id
   * @param {function(): void} onDead
   */
  constructor(clock, pingIntervalMs, writePing, onDead) {
    this._clock = clock;
    this._silenceMaxMs = pingIntervalMs + SILENCE_MARGIN_MS;
    this._writePing = writePing;
    this._onDead = onDead;
    this._heardAt = clock.now();
    this._pingId = null;  // of the ping that waits for its answer
    this._deadline = 0;   // for that answer
    this._check();
  }

  // A frame came. A pong counts only for its own ping: an old one says nothing about the line of today.
  heard(pongId) {
    if (pongId !== undefined && pongId !== this._pingId) return;
    this._heardAt = this._clock.now();
    if (this._pingId === null) return;
    this._pingId = null;
    this._arm(this._silenceMaxMs);
  }

  // Asks at once, because the connection may be dead.
  probe() {
    const deadline = this._clock.now() + PROBE_TIMEOUT_MS;
    if (this._pingId === null) {
      this._ask(PROBE_TIMEOUT_MS);
    } else if (deadline < this._deadline) {
      this._deadline = deadline;
      this._arm(PROBE_TIMEOUT_MS);
    }
  }

  stop() {
    this._clock.cancel(this._timer);
  }

  // Looks from time to time, instead of setting a new timer for each frame.
  _check() {
    const now = this._clock.now();
    if (this._pingId !== null) {
      if (now >= this._deadline) this._onDead(); else this._arm(this._deadline - now);
      return;
    }
    const leftMs = this._heardAt + this._silenceMaxMs - now;
    if (leftMs > 0) this._arm(leftMs); else this._ask(PONG_TIMEOUT_MS);
  }

  _ask(timeoutMs) {
    this._pingId = this._writePing();
    this._deadline = this._clock.now() + timeoutMs;
    this._arm(timeoutMs);
  }

  _arm(ms) {
    this._clock.cancel(this._timer);
    this._timer = this._clock.after(ms, () => this._check());
  }
}
