// Signs that the network has changed or the machine has slept, so that the connection should be looked at.

// A timer for WAKE_TICK_MS that takes WAKE_LATE_MS longer shows that the machine slept.
const WAKE_TICK_MS = 2000;
const WAKE_LATE_MS = 3000;

/**
 * Calls `onChange(sign)` on each sign: 'online', 'offline' or 'awake', of the machine or the page. Returns a function
 * that ends this.
 *
 * `scope` is the global object, or a test's. It has addEventListener and a document in a browser, and no such signs
 * elsewhere.
 */
export function watchNetwork(scope, clock, onChange) {
  const ends = [];
  const listen = (target, event, listener) => {
    if (!target?.addEventListener) return;
    target.addEventListener(event, listener);
    ends.push(() => target.removeEventListener(event, listener));
  };
  const page = scope.document;
  const isHidden = () => page?.visibilityState === 'hidden';
  listen(scope, 'online', () => onChange('online'));
  listen(scope, 'offline', () => onChange('offline'));
  listen(page, 'visibilitychange', () => isHidden() || onChange('awake'));
  listen(page, 'resume', () => onChange('awake'));

  let timer;
  const tick = () => {
    const elapsedMs = clock.stopwatch();
    timer = clock.after(WAKE_TICK_MS, () => {
      // Browsers slow the timers of hidden pages, and tell when a page is visible again.
      if (elapsedMs() > WAKE_TICK_MS + WAKE_LATE_MS && !isHidden()) onChange('awake');
      tick();
    });
  };
  tick();
  return () => {
    clock.cancel(timer);
    for (const end of ends) end();
  };
}
