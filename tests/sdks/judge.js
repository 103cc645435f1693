'use strict';

// Decides from what the drivers printed whether an SDK kept its promises: nothing lost in silence, nothing doubled, one
// order. It knows nothing of SDKs and servers.

/** What a member was given, in order. `violations` are sentences. */
class Journal {
  constructor(name, events, group) {
    this.name = name;
    this.violations = [];
    this.delivered = [];      // {history, epoch, offset, text}
    this.gaps = [];           // {history, epoch, from, to}
    this.begin = null;        // position of the join
    this._history = 0;        // grows with each gap that has no known beginning
    this._position = null;
    for (const event of events) {
      if (event.group !== group) continue;
      if (event.event === 'joined') this._onJoined(event);
      if (event.event === 'message') this._onMessage(event);
      if (event.event === 'gap') this._onGap(event);
    }
    this._checkBegin();
  }

  get position() {
    return this._position;
  }

  _fail(why) {
    this.violations.push(`${this.name}: ${why}`);
  }

  // A promise of a join may be printed after the first messages.
  _onJoined({epoch, offset}) {
    if (this.begin) {
      this._fail('joined twice');
      return;
    }
    this.begin = {epoch, offset};
    this._position = this._position || {epoch, offset};
  }

  _onMessage({epoch, offset, text}) {
    const at = `"${text}" at ${offset}`;
    if (this._position && epoch !== this._position.epoch) this._fail(`${at} is of another epoch, and no gap tells it`);
    else if (this._position && offset <= this._position.offset) this._fail(`${at} came after ${this._position.offset}`);
    this._position = {epoch, offset};
    this.delivered.push({history: this._history, epoch, offset, text});
  }

  _onGap({epoch, from, to}) {
    const before = this._position;
    if (from === null) {
      ++this._history;
    } else if (!before || epoch !== before.epoch || from !== before.offset || to <= from) {
      this._fail(`the gap from ${from} to ${to} does not begin at its position, ${JSON.stringify(before)}`);
    }
    this._position = {epoch, offset: to};
    this.gaps.push({history: this._history, epoch, from, to});
  }

  _checkBegin() {
    const {begin} = this;
    if (!begin) return;
    for (const {history, epoch, offset, text} of this.delivered) {
      if (history === 0 && epoch === begin.epoch && offset <= begin.offset) this._fail(`"${text}" is before its join`);
    }
  }

  // Whether a gap tells that this member did not get the message. A gap without a beginning counts for all that was
  // there before it, and for what came before its end.
  tells({epoch, offset}) {
    return this.gaps.some((gap) => (gap.from === null ?
      gap.epoch !== epoch || offset <= gap.to :
      gap.epoch === epoch && offset > gap.from && offset <= gap.to));
  }
}

function groupBy(list, key) {
  const groups = new Map();
  for (const item of list) {
    if (!groups.has(key(item))) groups.set(key(item), []);
    groups.get(key(item)).push(item);
  }
  return groups;
}

// Each send has one answer, and the answer is true.
function judgeSends(journals, sends, answers) {
  const violations = [];
  const answersOf = groupBy(answers, ({text}) => text);
  for (const text of sends) {
    const count = (answersOf.get(text) || []).length;
    if (count !== 1) violations.push(`"${text}" has ${count} answers`);
  }
  for (const journal of journals) {
    const placesOf = groupBy(journal.delivered, ({text}) => text);
    const fail = (why) => violations.push(`${journal.name}: ${why}`);
    for (const [text, places] of placesOf) {
      if (!answersOf.has(text)) fail(`"${text}" was never sent`);
      if (new Set(places.map(({history}) => history)).size < places.length) fail(`"${text}" came twice`);
    }
    for (const {event, text, code, epoch, offset} of answers) {
      const places = placesOf.get(text) || [];
      if (event === 'not_sent') {
        if (code !== 'outcome_unknown' && places.length > 0) fail(`"${text}" came although it was not sent: ${code}`);
        continue;
      }
      const {begin} = journal;
      const isBeforeJoin = begin && begin.epoch === epoch && offset <= begin.offset;
      const isThere = places.some((place) => place.epoch === epoch && place.offset === offset);
      if (places.length > 0 && !isThere && places.every((place) => place.epoch === epoch)) {
        fail(`"${text}" has another place than its sender was told`);
      }
      if (!isThere && !isBeforeJoin && !journal.tells({epoch, offset})) fail(`"${text}" at ${offset} is lost`);
      if (isThere && journal.gaps.some((gap) => gap.from !== null && gap.epoch === epoch &&
          offset > gap.from && offset <= gap.to)) {
        fail(`"${text}" came although a gap tells that it is lost`);
      }
    }
  }
  return violations;
}

// All members see the same at the same place.
function judgeOneOrder(journals) {
  const violations = [];
  const texts = new Map();
  for (const {name, delivered} of journals) {
    for (const {epoch, offset, text} of delivered) {
      const place = `${epoch}:${offset}`;
      if (texts.has(place) && texts.get(place) !== text) violations.push(`${name}: "${text}" is not what others have there`);
      texts.set(place, text);
    }
  }
  return violations;
}

// Texts are "SENDER NUMBER". The sends of one client keep the order of their calls.
function judgeSendOrder({name, delivered}) {
  const violations = [];
  for (const [history, places] of groupBy(delivered, (place) => place.history)) {
    for (const [sender, own] of groupBy(places, ({text}) => text.split(' ')[0])) {
      const numbers = own.map(({text}) => Number(text.split(' ')[1]));
      for (let i = 1; i < numbers.length; ++i) {
        if (numbers[i] < numbers[i - 1]) violations.push(`${name}: ${sender} ${numbers[i]} came late (${history})`);
      }
    }
  }
  return violations;
}

/**
 * The broken promises, as sentences.
 *
 * @param {string} group
 * @param {object} members name -> events of a member, in the order in which its driver printed them
 * @param {string[]} sends the texts that drivers were told to send, all different
 * @param {object[]} answers {event: 'sent', text, epoch, offset} or {event: 'not_sent', text, code}
 * @param {boolean} keepsSendOrder the server postponed no send
 * @param {boolean} mayLose a loss that a gap tells is no violation
 */
function judge({group, members, sends, answers, keepsSendOrder = true, mayLose = false}) {
  const journals = Object.entries(members).map(([name, events]) => new Journal(name, events, group));
  const violations = journals.flatMap((journal) => journal.violations);
  for (const journal of journals) {
    if (!journal.begin) violations.push(`${journal.name}: has not joined`);
    if (!mayLose && journal.gaps.length > 0) violations.push(`${journal.name}: a gap ${JSON.stringify(journal.gaps[0])}`);
    if (keepsSendOrder) violations.push(...judgeSendOrder(journal));
  }
  return [...violations, ...judgeSends(journals, sends, answers), ...judgeOneOrder(journals)];
}

module.exports = {Journal, judge};
