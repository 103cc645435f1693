'use strict';

// What became of the counter's messages: each number was sent once, and this tab must get it once. No DOM.

class Tally {
  constructor(series) {
    this._series = series;
    this._numbers = [];  // by number - 1: {number, place, times, isLost}
  }

  /** The server has acknowledged the number. */
  onSent(number, place) {
    this._at(number).place = place;
  }

  /** Takes any message that this tab gets. */
  onMessage(message, {epoch, offset}) {
    if (message === null || typeof message !== 'object' || message.series !== this._series) return;
    if (!Number.isInteger(message.number) || message.number < 1 || message.number > COUNTER_END) return;
    const entry = this._at(message.number);
    entry.place = {epoch, offset};
    ++entry.times;
  }

  /** What was sent before the gap's end and has not come does not come any more. */
  onGap({epoch, to}) {
    const isBefore = (place) => place !== null && (place.epoch !== epoch || place.offset <= to);
    for (const entry of this._numbers) {
      if (entry.times === 0 && isBefore(entry.place)) entry.isLost = true;
    }
  }

  get counts() {
    const count = (test) => this._numbers.filter(test).length;
    return {
      sent: count(({place}) => place),
      received: count(({times}) => times > 0),
      lost: count(({isLost}) => isLost),
      twice: count(({times}) => times > 1),
    };
  }

  /** The newest numbers with what became of them. `isRecovered(place)` knows what came in a catch-up. */
  newest(max, isRecovered) {
    return this._numbers.filter(({place}) => place).slice(-max).map(({number, place, times, isLost}) => ({
      number,
      fate: times > 1 ? 'twice' : isLost ? 'lost' : times === 0 ? 'waiting' : isRecovered(place) ? 'recovered' : 'live',
    }));
  }

  _at(number) {
    while (this._numbers.length < number) {
      this._numbers.push({number: this._numbers.length + 1, place: null, times: 0, isLost: false});
    }
    return this._numbers[number - 1];
  }
}
