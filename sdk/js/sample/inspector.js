'use strict';

// What goes over the wire, read: the frames, the place of the group that is shown, whether each message names the one
// before, and the time from a send to its delivery. No DOM.

const FRAMES_MAX = 200;      // the oldest leave
const FRAME_TEXT_MAX = 400;
const LATENCIES_MAX = 60;    // of the newest deliveries
const SENT_AT_MAX = 500;     // messages on their way; the time of older ones is not told

class Inspector {
  /** `onChange` is called after each change. `now()` is in milliseconds, by a clock that never goes back. */
  constructor(now, onChange) {
    this.frames = [];            // {key, direction, name, place, content, text}, oldest first
    this.latencies = [];         // {key, ms, isLate}, oldest first; late: sent before this connection was there
    this.groupId = null;         // whose place is told
    this._now = now;
    this._onChange = onChange;
    this._sentAt = new Map();    // message id -> now() at the click
    this._joins = new Map();     // command id -> its add_group; of one connection
    this._openedAt = 0;
    this._nextKey = 1;
    this.watchGroup(null);
  }

  watchGroup(groupId) {
    this.groupId = groupId;
    this.epoch = '';
    this.offset = null;
    this.previous = null;
    this.chainLength = 0;        // messages in a row that named the one before
    this.broken = 0;             // messages that did not
    this.gaps = 0;
    this._sentAt.clear();
    this.latencies = [];
    this._onChange();
  }

  /** This page sends a message with this id, over this wire or over another one. */
  noteSent(id) {
    this._sentAt.set(id, this._now());
    if (this._sentAt.size > SENT_AT_MAX) this._sentAt.delete(this._sentAt.keys().next().value);
  }

  onSocket(what) {
    this._joins.clear();
    if (what === 'open') this._openedAt = this._now();
    this._add({direction: '', name: {made: 'connecting', open: 'connected', lost: 'connection lost'}[what], place: '',
      content: '', text: ''});
  }

  onFrame(direction, text) {
    let frame;
    try {
      frame = JSON.parse(text);
    } catch (error) {
      frame = null;
    }
    if (frame === null || typeof frame !== 'object') frame = {};
    if (direction === 'out') this._onCommand(frame); else this._onEvent(frame);
    this._add({direction, name: frameName(frame), place: framePlace(frame), content: shorten(frameContent(frame)),
      text: shorten(text)});
  }

  /** The middle one of the newest deliveries that were not late; null if there is none. */
  get medianMs() {
    const sorted = this.latencies.filter(({isLate}) => !isLate).map(({ms}) => ms).sort((a, b) => a - b);
    return sorted.length === 0 ? null : sorted[sorted.length >> 1];
  }

  _onCommand(command) {
    if (command.cmd === 'add_group' && command.group_id === this.groupId) this._joins.set(command.id, command);
  }

  _onEvent(event) {
    const join = this._joins.get(event.id);
    if (join && event.event === 'reply') {
      this._joins.delete(event.id);
      this._onJoined(join, event);
    }
    if (event.group_id !== this.groupId) return;
    if (event.event === 'gap') this._onGap(event);
    if (event.event === 'message') this._onMessage(event);
  }

  // A second join of the group, for the events of its members, changes no place.
  _onJoined(join, reply) {
    if (join.since === undefined && join.history === undefined && this.offset !== null) return;
    if (join.since && reply.recovered === false) ++this.gaps;
    this.epoch = reply.epoch;
    this.offset = reply.offset;
  }

  _onGap(event) {
    ++this.gaps;
    this.epoch = event.epoch;
    this.offset = event.to;
  }

  _onMessage({offset, previous, message}) {
    if (previous === this.offset) ++this.chainLength; else ++this.broken;
    this.offset = offset;
    this.previous = previous;
    const id = message?.id;
    const sentAt = this._sentAt.get(id);
    if (sentAt === undefined) return;
    this._sentAt.delete(id);
    this.latencies.push({key: this._nextKey++, ms: this._now() - sentAt, isLate: sentAt < this._openedAt});
    if (this.latencies.length > LATENCIES_MAX) this.latencies.shift();
  }

  _add(frame) {
    this.frames.push({key: this._nextKey++, ...frame});
    if (this.frames.length > FRAMES_MAX) this.frames.shift();
    this._onChange();
  }
}

function frameName(frame) {
  if (frame.event === 'reply' && frame.pong === true) return 'pong';
  if (frame.event === 'reply' && frame.members) return 'reply: members';
  if (frame.event === 'reply' && frame.messages) return 'reply: history';
  return [frame.event, frame.cmd].find((name) => typeof name === 'string') || 'frame';
}

// The part that keeps the order.
function framePlace(frame) {
  if (frame.event === 'gap') return (frame.from === null ? 'another history' : frame.from) + ' ⇢ ' + frame.to;
  if (frame.previous !== undefined) return frame.previous + ' → ' + frame.offset;
  if (frame.since?.epoch) return 'since ' + frame.since.offset;
  if (frame.offset !== undefined) return 'offset ' + frame.offset;
  return '';
}

// The rest that is worth a look: of a message its text, of everything else the fields that the row does not tell yet.
function frameContent(frame) {
  if (frame.message !== undefined && frame.event !== 'error') {
    return JSON.stringify(typeof frame.message?.text === 'string' ? frame.message.text : frame.message);
  }
  const {event, cmd, id, group_id: groupId, epoch, offset, since, pong, ...rest} = frame;
  return Object.keys(rest).length === 0 ? '' : JSON.stringify(rest);
}

function shorten(text) {
  return text.length > FRAME_TEXT_MAX ? text.slice(0, FRAME_TEXT_MAX) + '…' : text;
}
