// Time for the rest of the client, from clocks that tests can move.

// setTimeout takes a longer time for none at all.
const TIMER_MAX_MS = 0x7fffffff;

const systemTimers = {
  setTimeout: (callback, ms) => setTimeout(callback, ms),
  clearTimeout: (timer) => clearTimeout(timer),
  now: () => performance.now(),
  wallNow: () => Date.now(),
};

export class Clock {
  constructor(timers = systemTimers) {
    this._timers = timers;
  }

  // Milliseconds, by a clock that never goes back. While the machine sleeps it may stand still.
  now() {
    return this._timers.now();
  }

  // Calls `callback` once after `ms`, or after 24 days if that is earlier.
  after(ms, callback) {
    return this._timers.setTimeout(callback, Math.min(ms, TIMER_MAX_MS));
  }

  cancel(timer) {
    this._timers.clearTimeout(timer);
  }

  // Returns a function that tells the milliseconds since now, also those that the machine slept. The wall clock alone
  // knows these. If somebody sets that clock forward, the function tells too much; it never tells too little, except
  // after a sleep in which the wall clock was set back. So it is for decisions that are safe when they come too early.
  stopwatch() {
    const timers = this._timers;
    const begin = timers.now();
    const wallBegin = timers.wallNow();
    return () => Math.max(timers.now() - begin, timers.wallNow() - wallBegin);
  }
}
