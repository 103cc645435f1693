'use strict';

// What is said in a group, as this tab has seen it: messages in the group's order, and breaks where the connection was
// away. After them comes what this tab sends and the server has not delivered yet. No DOM.

const ENTRIES_MAX = 500;     // the oldest leave
const OUTBOX_MAX = 100;      // over it, send() refuses
const OWN_IDS_MAX = 500;     // the oldest are forgotten: those messages then stand on the other side after a reload
const RECOVERIES_MAX = 50;
const NAMES_MAX = 1000;

class Conversation {
  /**
   * `remembered` is what toRemember() of an earlier page gave, or {}. `onChange` is called after each change.
   */
  constructor(groupId, remembered, onChange) {
    this.groupId = groupId;
    this.names = new Map();      // connection id of a member -> name, as far as messages have told
    this.memberId = '';          // this tab's own
    this.isAway = false;         // there is no connection, and there was one
    this._onChange = onChange;
    this._entries = [];          // messages, breaks and notes
    this._ids = new Set();       // of the messages in _entries, as their senders named them
    this._outbox = new Map();    // id -> outgoing message, oldest first
    this._ownIds = new Set(remembered.ownIds);
    this._recoveries = [];
    this._nextKey = 1;
    for (const {id, name, text, sentAt} of remembered.outbox || []) {
      this._outbox.set(id, {...this._outgoing(id, name, text, sentAt), status: 'unknown',
        problem: 'the page was reloaded before the answer came'});
    }
  }

  toRemember() {
    return {
      groupId: this.groupId,
      ownIds: [...this._ownIds].slice(-OWN_IDS_MAX),
      outbox: [...this._outbox.values()].map(({id, name, text, sentAt}) => ({id, name, text, sentAt})),
    };
  }

  get isEmpty() {
    return this._entries.length === 0 && this._outbox.size === 0;
  }

  // ---- What this tab sends ----

  /** Returns the new outgoing message, which is pending; null if too many have not been sent. */
  send(id, name, text, now) {
    if (this._outbox.size >= OUTBOX_MAX) return null;
    const outgoing = this._outgoing(id, name, text, now);
    this._outbox.set(id, outgoing);
    this._ownIds.add(id);
    this._onChange();
    return outgoing;
  }

  /** The server has given the message its place. It stays where it is until it is delivered, too. */
  onAcknowledged(id, {epoch, offset}) {
    this._update(id, {status: 'sent', epoch, offset});
  }

  /** `isUnknown`: it may have been sent all the same. */
  onFailed(id, isUnknown, problem) {
    this._update(id, {status: isUnknown ? 'unknown' : 'failed', problem});
  }

  /** The person wants to try again. */
  onRetry(id) {
    this._update(id, {status: 'pending', problem: ''});
  }

  discard(id) {
    this._outbox.delete(id);
    this._onChange();
  }

  outgoing(id) {
    return this._outbox.get(id);
  }

  // ---- What the server says ----

  /**
   * Anybody may send anything to a group: whatever comes is shown as text. Returns the entry; null if nothing is shown.
   */
  onMessage(message, {epoch, offset, sentAt}) {
    const said = readMessage(message);
    if (said.by && said.name) this._rememberName(said.by, said.name);
    if (said.kind === 'here') {
      const isNews = !said.isAgain && said.by !== this.memberId;
      return isNews ? this.note(isolate(said.name) + ' joined.') : this._change(null);
    }
    // A person who tries again after an unknown outcome may send it twice. It has the same id.
    if (said.id !== null && this._ids.has(said.id)) return null;
    const entry = {
      kind: 'message', key: said.id === null ? this._key() : 'id:' + said.id, id: said.id,
      name: said.name, text: said.text, isBare: said.isBare, isNumber: said.isNumber, isOwn: this._ownIds.has(said.id),
      status: 'delivered', problem: '', sentAt, epoch, offset,
    };
    this._outbox.delete(said.id);
    return this._add(entry);
  }

  /**
   * The connection was away, and what was missed after this position follows now. Until onHead() tells the end of it,
   * everything that comes counts as missed.
   */
  onRecovered({epoch, offset}) {
    const recovery = {kind: 'recovery', key: this._key(), epoch, from: offset, to: null};
    this._recoveries.push(recovery);
    if (this._recoveries.length > RECOVERIES_MAX) this._recoveries.shift();
    return this._add(recovery);
  }

  /** What follows `offset` was sent after the connection was back. null: as far as was seen. */
  onHead(recovery, offset) {
    const seen = this._entries.filter((entry) => entry.kind === 'message' && entry.epoch === recovery.epoch)
        .map((entry) => entry.offset);
    recovery.to = offset === null ? Math.max(recovery.from, ...seen) : offset;
    this._onChange();
  }

  /** Messages up to `to` are lost to this tab; `from` is null if the group has another history now. */
  onGap({epoch, from, to}) {
    // What has been acknowledged is not delivered any more, but this tab has it.
    for (const entry of this._outbox.values()) {
      if (entry.status !== 'sent' || (entry.epoch === epoch && entry.offset > to)) continue;
      this._outbox.delete(entry.id);
      this._add({...entry, status: 'delivered'});
    }
    return this._add({kind: 'gap', key: this._key(), epoch, from, to});
  }

  /** Whether the connection is away. What comes next then comes after a break. */
  setAway(isAway) {
    if (isAway === this.isAway) return;
    this.isAway = isAway;
    this._onChange();
  }

  note(text, isProblem = false) {
    return this._add({kind: 'note', key: this._key(), text, isProblem});
  }

  isRecovered({epoch, offset}) {
    return this._recoveries.some((recovery) => recovery.epoch === epoch && offset > recovery.from &&
        (recovery.to === null || offset <= recovery.to));
  }

  /** Missed and now here: what others said. */
  recoveredCount(recovery) {
    return this._entries.filter((entry) => entry.kind === 'message' && !entry.isOwn && entry.epoch === recovery.epoch &&
        entry.offset > recovery.from && (recovery.to === null || entry.offset <= recovery.to)).length;
  }

  // ---- What is to be shown ----

  /**
   * The entries in their order, as copies. Some are added: `day` before the first message of each day, `counters` with
   * their names before a row of numbers, and `away` while the connection is. Messages say whether they continue a block
   * of one sender (`isMore`), whether it goes on (`hasMore`), and whether they wait for a connection (`isWaiting`).
   */
  view(now) {
    const shown = [];
    let day = null;
    let counters = null;  // of the row of numbers that grows
    const away = this.isAway ? [{kind: 'away', key: 'away'}] : [];
    for (const entry of [...this._entries, ...away, ...this._outbox.values()]) {
      if (entry.kind !== 'message') {
        shown.push(entry.kind === 'recovery' ? {...entry, count: this.recoveredCount(entry)} : {...entry});
        continue;
      }
      const today = dayOf(entry.sentAt);
      if (today !== day) shown.push({kind: 'day', key: 'day:' + entry.key, label: dayLabel(entry.sentAt, now)});
      day = today;
      const before = shown[shown.length - 1];
      const item = {...entry, isMore: false, hasMore: false, isWaiting: this.isAway && entry.status === 'pending',
        isRecovered: entry.status === 'delivered' && !entry.isOwn && this.isRecovered(entry)};
      if (item.isNumber) {
        if (!before?.isNumber) {
          counters = {kind: 'counters', key: 'counters:' + entry.key, names: []};
          shown.push(counters);
        }
        if (!counters.names.includes(item.name)) counters.names.push(item.name);
      } else if (before?.kind === 'message' && !before.isNumber && before.isOwn === item.isOwn &&
          before.name === item.name && before.isBare === item.isBare && before.isRecovered === item.isRecovered) {
        item.isMore = before.hasMore = true;
      }
      shown.push(item);
    }
    return shown;
  }

  // ----

  _outgoing(id, name, text, sentAt) {
    return {
      kind: 'message', key: 'id:' + id, id, name, text, isBare: false, isNumber: false, isOwn: true,
      status: 'pending', problem: '', sentAt, epoch: '', offset: 0,
    };
  }

  _update(id, fields) {
    const outgoing = this._outbox.get(id);
    if (outgoing) Object.assign(outgoing, fields);
    return this._change(outgoing);
  }

  _add(entry) {
    this._entries.push(entry);
    if (entry.kind === 'message' && entry.id !== null) this._ids.add(entry.id);
    if (this._entries.length > ENTRIES_MAX) this._ids.delete(this._entries.shift().id);
    return this._change(entry);
  }

  _change(result) {
    this._onChange();
    return result;
  }

  _key() {
    return 'key:' + this._nextKey++;
  }

  _rememberName(by, name) {
    this.names.delete(by);
    this.names.set(by, name);
    if (this.names.size > NAMES_MAX) this.names.delete(this.names.keys().next().value);
  }
}

// The sample's own messages are {id, name, text, by}. {kind: 'here', name, by, isAgain?} tells the name of a member.
function readMessage(message) {
  const isObject = message !== null && typeof message === 'object';
  const string = (value) => typeof value === 'string' && value !== '' ? value : null;
  const name = isObject ? string(message.name) : null;
  const common = {name, by: isObject ? string(message.by) : null, id: isObject ? string(message.id) : null};
  if (isObject && message.kind === 'here' && name) return {...common, kind: 'here', isAgain: message.isAgain === true};
  if (isObject && typeof message.text === 'string') {
    return {...common, kind: 'text', text: message.text, isBare: false,
      isNumber: typeof message.series === 'string', name: name || 'Somebody'};
  }
  return {
    kind: 'text', id: null, by: null, name: 'without a name', isBare: true, isNumber: false,
    text: typeof message === 'string' ? message : JSON.stringify(message),
  };
}

// A name of any direction leaves the order of the words around it alone.
function isolate(name) {
  return '\u2068' + name + '\u2069';
}

function dayOf(ms) {
  const date = new Date(ms);
  return date.getFullYear() + '-' + (date.getMonth() + 1) + '-' + date.getDate();
}

function dayLabel(ms, now) {
  if (dayOf(ms) === dayOf(now)) return 'Today';
  const yesterday = new Date(now);
  yesterday.setDate(yesterday.getDate() - 1);
  if (dayOf(ms) === dayOf(yesterday)) return 'Yesterday';
  return new Date(ms).toLocaleDateString([], {weekday: 'long', day: 'numeric', month: 'long', year: 'numeric'});
}
