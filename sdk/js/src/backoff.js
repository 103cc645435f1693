// Full jitter: after a failure of the server its clients come back evenly spread, and not in waves.
export class Backoff {
  constructor(baseMs, capMs, random) {
    this._baseMs = baseMs;
    this._random = random;
    this.capMs = capMs;
  }

  // The pause after this number of failures in a row, before the newest one.
  delayMs(failures, capMs = this.capMs) {
    return this.spreadMs(Math.min(capMs, this._baseMs * 2 ** failures));
  }

  // A random time below `ms`.
  spreadMs(ms) {
    return this._random() * ms;
  }
}
