// A group's messages as an asynchronous iterator.

// The messages that wait for the loop. Over it the membership pauses. It goes on, from the last of them, when the loop
// has taken them. The server has what came meanwhile, or `gap` says that it is lost.
const WAITING_MAX = 1000;

export class MessageStream {
  /**
   * @param {object} membership join(onMessage, options) and leave() of one group, as the client's; pause() and
   *     resume(); isWanted(error) says whether the application itself ended it
   * @param {object} options of join()
   */
  constructor(membership, options) {
    this._membership = membership;
    this._onGap = options.onGap;
    this._waiting = [];   // messages
    this._gap = null;     // before the next one
    this._taker = null;   // {resolve, reject} of the next() that waits
    this._begun = false;  // next() has joined the group
    this._end = null;     // {error?}, when no further message comes
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  async next() {
    if (this._waiting.length > 0) return {done: false, value: this._waiting.shift()};
    if (this._end) {
      if (this._end.error) {
        const {error} = this._end;
        this._end = {};
        throw error;
      }
      return {done: true, value: undefined};
    }
    if (this._taker) throw new TypeError('next() waits already');
    return new Promise((resolve, reject) => {
      this._taker = {resolve, reject};
      if (this._begun) this._membership.resume(); else this._join();
    });
  }

  async return(value) {
    if (!this._end) {
      this._finish({});
      if (this._begun) await this._membership.leave();
    }
    this._waiting = [];
    return {done: true, value};
  }

  async _join() {
    this._begun = true;
    const onEnd = (error) => this._finish(this._membership.isWanted(error) ? {} : {error});
    try {
      await this._membership.join(
          (message, info) => this._onMessage(message, info), {onGap: (gap) => this._onLoss(gap), onEnd});
    } catch (error) {
      onEnd(error);
    }
  }

  _onLoss(gap) {
    this._gap = this._gap ? {...gap, from: this._gap.from} : gap;
    if (this._onGap) this._onGap(gap);
  }

  _onMessage(message, info) {
    const item = {message, gap: this._gap, ...info};
    this._gap = null;
    if (this._taker) {
      const {resolve} = this._taker;
      this._taker = null;
      resolve({done: false, value: item});
      return;
    }
    this._waiting.push(item);
    if (this._waiting.length >= WAITING_MAX) this._membership.pause();
  }

  _finish(end) {
    if (this._end) return;
    this._end = end;
    const taker = this._taker;
    this._taker = null;
    if (!taker) return;
    this._end = {};
    if (end.error) taker.reject(end.error); else taker.resolve({done: true, value: undefined});
  }
}
