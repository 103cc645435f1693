// The promises that the client's methods return.

// Knows whether the application looks at its result: with then(), catch() or await.
class Answer extends Promise {
  static get [Symbol.species]() {
    return Promise;
  }

  then(onResolved, onRejected) {
    this.isTaken = true;
    return super.then(onResolved, onRejected);
  }
}

/**
 * Returns a promise for what `work()` returns. If it rejects and the application does not look at it, `onUntaken` gets
 * the error later, and the program does not end by an unhandled rejection. A TypeError is a defect of the program, and
 * is thrown then.
 */
export function answer(clock, work, onUntaken) {
  const result = new Answer((resolve) => resolve(work()));
  // Not result.then(): that would count as a look of the application.
  Promise.prototype.then.call(result, undefined, (error) => {
    if (result.isTaken) return;
    clock.after(0, () => {
      if (result.isTaken) return;
      if (error instanceof TypeError) throw error;
      onUntaken(error);
    });
  });
  return result;
}

/**
 * Calls `onAbort` with the signal's reason when the signal aborts. Returns a function that ends this.
 * @throws the reason, if it has aborted already
 */
export function watchAbort(signal, onAbort) {
  if (!signal) return () => {};
  signal.throwIfAborted();
  const listener = () => onAbort(signal.reason);
  signal.addEventListener('abort', listener, {once: true});
  return () => signal.removeEventListener('abort', listener);
}
