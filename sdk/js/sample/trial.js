'use strict';

// "Break it": the buttons that cut the connection, and the counter with the tally of its messages.

const OFFLINE_MS = 10000;
const CELLS_MAX = 40;
const FIRST_HINT =
    'Start the counter: a second member in this page, which sends a number each second. Then break your connection.';

class Trial {
  /**
   * `owner` gives counterName(). It gets
   * - onHold(until) when the page goes offline, with a time of performance.now(), and onHold(null) when it is back;
   * - onCounterSend(id) before a send, and onCounterProblem(error).
   * `isRecovered(place)` says whether a message came in a catch-up.
   */
  constructor(url, wire, client, owner, isRecovered) {
    this._url = url;
    this._wire = wire;
    this._client = client;
    this._owner = owner;
    this._isRecovered = isRecovered;
    this._groupId = null;
    this._counter = null;
    this._tally = null;
    this._backTimer = null;
    this._wasCut = false;      // since the counter began
    this._render = soon(() => this._renderNow());
    $('drop').addEventListener('click', () => this._drop());
    $('offline').addEventListener('click', () => wire.isHeld ? this._comeBack() : this._goOffline());
    $('counter').addEventListener('click', () => this._counter ? this._counter.stop() : this.startCounter());
  }

  /** null: no group. The counter belongs to the group. */
  watchGroup(groupId) {
    this._counter?.stop();
    this._groupId = groupId;
    this._tally = null;
    this._render();
  }

  get isCounting() {
    return this._counter !== null;
  }

  startCounter() {
    const counter = this._counter = new Counter(this._url, this._groupId, this._owner.counterName(), {
      onSend: (id) => this._owner.onCounterSend(id),
      onSent: (number, place) => {
        tally.onSent(number, place);
        this._render();
      },
      onEnd: (error) => {
        if (this._counter === counter) this._counter = null;
        if (error) this._owner.onCounterProblem(error);
        this._render();
      },
    });
    this._wasCut = false;
    const tally = this._tally = new Tally(counter.series);
    this._render();
  }

  onMessage(message, info) {
    this._tally?.onMessage(message, info);
    this._render();
  }

  onGap(gap) {
    this._tally?.onGap(gap);
    this._render();
  }

  /** What is recovered may have changed. */
  onRecoveries() {
    this._render();
  }

  _drop() {
    this._wasCut = true;
    this._wire.cut();
    this._render();
  }

  _goOffline() {
    this._wasCut = true;
    this._wire.hold();
    this._backTimer = setTimeout(() => this._comeBack(), OFFLINE_MS);
    this._owner.onHold(performance.now() + OFFLINE_MS);
    this._render();
  }

  // A browser whose network is back tells the SDK so with the event `online`. Here the page does.
  _comeBack() {
    clearTimeout(this._backTimer);
    this._wire.release();
    this._owner.onHold(null);
    this._client.reconnect();
    this._render();
  }

  // The next step, or what this one shows.
  _hint() {
    if (this._wire.isHeld) return this._counter ? 'You are offline. The counter goes on.' : 'You are offline.';
    if (!this._tally) return FIRST_HINT;
    if (!this._wasCut) return 'Now break your connection. The counter goes on.';
    const {sent, received, lost, twice} = this._tally.counts;
    if (received < sent) return lost > 0 ? 'Some are lost, and you were told.' : 'Coming…';
    return twice === 0 ? 'Everything is here: nothing lost, nothing twice.' : 'Something came twice.';
  }

  _renderNow() {
    setText($('offline'), this._wire.isHeld ? 'Come back now' : 'Go offline for 10 s');
    setText($('counter'), this._counter ? 'Stop the counter' : 'Start the counter');
    $('counter').setAttribute('aria-pressed', String(this.isCounting));
    setText($('trial-hint'), this._hint());
    $('tally').hidden = this._tally === null;
    if (this._tally === null) return;
    $('cells').replaceChildren(...this._tally.newest(CELLS_MAX, this._isRecovered).map(({number, fate}) => {
      const cell = element('span', 'cell ' + fate);
      cell.title = 'Number ' + number + ': ' + fate;
      return cell;
    }));
    const {sent, received, lost, twice} = this._tally.counts;
    const waiting = sent - received - lost;
    const text = 'Sent ' + sent + ' · received ' + received + (waiting > 0 ? ' · missing ' + waiting : '') +
        ' · lost ' + lost + ' · twice ' + twice;
    setText($('counts'), text);
    $('cells').setAttribute('aria-label', 'The counter’s messages: ' + text);
  }
}
