// The groups that the application wants to be in, over all connections.

import {toError} from './error.js';
import {MembersView, ViewReader} from './presence.js';

// Nothing cancels the timer of such a pause, so it is short: a program that has closed its client should end.
const LEAVE_PAUSE_MAX_MS = 1000;

// One of them. It outlives connections; `joined` belongs to the current one.
class Group {
  constructor(id, {since, history, isLoop}) {
    this.id = id;
    this.isLoop = isLoop;    // of a MessageStream, which alone may pause it
    this.isPaused = false;
    this.callbacks = null;
    // {epoch, offset} of the last message that was received or reported as lost; null before the first one.
    this.position = since;
    this.history = history;  // the number to ask for while there is no position
    this.joined = false;     // the current connection's add_group has been answered
    this.wasJoined = false;  // a connection has joined it: join() has its answer
    this.waiters = [];       // {resolve, reject} of join() calls without an answer
    this.failures = 0;       // joins in a row that the server postponed
    this.retryTimer = null;
    this.view = null;        // of its members, if the application asked for it
    this.endAbort = () => {};
  }
}

// The offset before the lost messages; null if the group has another history after the gap.
function gapStart(before, after) {
  return before.epoch === after.epoch && before.offset <= after.offset ? before.offset : null;
}

export class Groups {
  /**
   * @param {function(): Connection} writable the connection to write to; null if there is none
   * @param {Clock} clock
   * @param {Backoff} backoff
   * @param {function(function())} call runs a callback of the application
   * @param {function(GroupcastError)} onError for a group that ends although its join() has its answer, and for a view
   *     that cannot be read
   */
  constructor(writable, clock, backoff, call, onError) {
    this._writable = writable;
    this._clock = clock;
    this._backoff = backoff;
    this._call = call;
    this._onError = onError;
    this._groups = new Map();  // group id -> Group
    this._reader = new ViewReader(writable, onError);
  }

  get(id) {
    return this._groups.get(id);
  }

  /**
   * `callbacks`: onMessage, onGap, onRecovered, onMembers, and onEnd(error) when the membership ends. `begin`: since,
   * history, isLoop. Returns the group and a promise of its join.
   */
  join(id, callbacks, begin) {
    let group = this._groups.get(id);
    const isNew = !group;
    if (isNew) {
      group = new Group(id, begin);
      this._groups.set(id, group);
    }
    group.callbacks = callbacks;
    group.view?.end();
    const {onMembers} = callbacks;
    group.view = onMembers && new MembersView(
        id, this._reader, (members, change) => this._call(() => onMembers(members, change)));
    if (group.joined) {
      if (group.view) this._writeJoin(group);
      return {group, joined: Promise.resolve({recovered: true, ...group.position})};
    }
    const joined = new Promise((resolve, reject) => group.waiters.push({resolve, reject}));
    if (isNew) this._writeJoin(group);
    return {group, joined};
  }

  // From now on no callback of the group is called. Its waiters get `error`.
  async leave(id, error) {
    const group = this._groups.get(id);
    if (!group) return;
    this._forget(group, error);
    await this._writeLeave(id);
  }

  // The membership keeps its place, and the server sends nothing until resume().
  pause(id) {
    const group = this._groups.get(id);
    group.isPaused = true;
    group.joined = false;
    this._writeLeave(id).catch(() => {});
  }

  resume(id) {
    const group = this._groups.get(id);
    if (!group.isPaused) return;
    group.isPaused = false;
    this._writeJoin(group);
  }

  // A leave that the server postpones is tried again: as a member the connection would get the group's messages for
  // nothing.
  _writeLeave(id, failures = 0) {
    // Without a connection there is no membership, and the next connection does not join the group.
    const connection = this._writable();
    if (!connection) return Promise.resolve();
    return new Promise((resolve, reject) => {
      connection.ask({cmd: 'leave_group', group_id: id}, {
        onReply: () => resolve(),
        onError: (error) => {
          if (!error.retry) {
            reject(error);
            return;
          }
          this._clock.after(this._backoff.delayMs(failures, LEAVE_PAUSE_MAX_MS), () => {
            const group = this._groups.get(id);
            resolve(group && !group.isPaused ? undefined : this._writeLeave(id, failures + 1));
          });
        },
        onLost: () => resolve(),  // a closed connection leaves all its groups
      });
    });
  }

  onOpen() {
    for (const group of this._groups.values()) this._writeJoin(group);
  }

  onLost() {
    this._reader.clear();
    for (const group of this._groups.values()) {
      group.joined = false;
      this._clock.cancel(group.retryTimer);
    }
  }

  // `errorOf(groupId)` is what the joins without an answer get.
  onEnd(errorOf) {
    for (const group of this._groups.values()) this._forget(group, errorOf(group.id));
  }

  // The server's events. Returns whether this one belongs here.
  onEvent(event) {
    switch (event.event) {
      case 'message': this._onMessage(event); return true;
      case 'gap': this._onGap(event); return true;
      case 'member_joined':
      case 'member_left': this._onMember(event); return true;
      case 'error': return this._onExpelled(event);
      default: return false;
    }
  }

  _writeJoin(group) {
    const connection = this._writable();
    if (!connection || group.isPaused) return;  // the next connection, or resume(), joins it
    const command = {cmd: 'add_group', group_id: group.id};
    if (group.position !== null) {
      if (!group.joined) command.since = group.position;
    } else if (group.history !== null) {
      command.history = group.history;
    }
    if (group.view) command.presence = true;
    connection.ask(command, {
      onReply: (reply) => this._onJoined(group, reply, command.presence),
      onError: (error) => this._onJoinFailed(group, error),
      onLost: () => {},  // the next connection joins it
    });
  }

  _onJoined(group, reply, presence) {
    if (this._groups.get(group.id) !== group) return;  // the group was left
    if (group.view && presence) group.view.load();
    if (group.joined) return;  // only the events of members were asked for
    const before = group.position;
    const isRejoin = group.wasJoined;
    group.joined = group.wasJoined = true;
    group.failures = 0;
    // A reply that begins before this member's position loses nothing: what comes again is dropped.
    const continues = before !== null && reply.recovered !== false && reply.epoch === before.epoch &&
        reply.offset <= before.offset;
    if (!continues) group.position = {epoch: reply.epoch, offset: reply.offset};
    if (group.view && !presence) this._writeJoin(group);  // a later join() asked for it
    const recovered = continues || before === null;
    for (const waiter of group.waiters) waiter.resolve({recovered, ...group.position});
    group.waiters = [];
    if (!recovered) {
      this._tellGap(group, gapStart(before, group.position));
    } else if (isRejoin && group.callbacks.onRecovered) {
      const about = {groupId: group.id, ...group.position};
      this._call(() => group.callbacks.onRecovered(about));
    }
  }

  // A join that the server postpones is tried again until the application leaves the group, also the first one.
  _onJoinFailed(group, error) {
    if (this._groups.get(group.id) !== group) return;
    error.groupId = group.id;
    if (error.retry) {
      group.retryTimer = this._clock.after(this._backoff.delayMs(group.failures++), () => this._writeJoin(group));
      return;
    }
    this._forget(group, error);
    if (group.wasJoined) this._onError(error);
  }

  _onMessage(event) {
    const group = this._groups.get(event.group_id);
    // Not joined: the message belongs to an earlier membership, which was left and joined again.
    if (!group?.joined) return;
    const before = group.position;
    if (event.offset <= before.offset) return;  // a duplicate
    if (event.previous !== before.offset) {
      // The server left messages out without a gap event, or this message belongs to another history.
      const after = {epoch: before.epoch, offset: event.previous};
      group.position = after;
      this._tellGap(group, gapStart(before, after));
      if (this._groups.get(group.id) !== group) return;  // onGap left the group
    }
    group.position = {epoch: before.epoch, offset: event.offset};
    if (event.excluded === true) return;  // it only keeps the chain complete
    const about = {groupId: group.id, epoch: before.epoch, offset: event.offset, sentAt: event.sent_at};
    if (event.from) about.from = {connectionId: event.from.connection_id, user: event.from.user};
    this._call(() => group.callbacks.onMessage(event.message, about));
  }

  _onGap(event) {
    const group = this._groups.get(event.group_id);
    if (!group?.joined) return;
    const before = group.position;
    const after = {epoch: event.epoch, offset: event.to};
    const isOtherHistory = after.epoch !== before.epoch || event.from === null;
    // The server may know less of what this member has than the member itself: then nothing is lost.
    if (!isOtherHistory && after.offset <= before.offset) return;
    group.position = after;
    this._tellGap(group, isOtherHistory ? null : before.offset);
  }

  // The gap ends at the group's position.
  _tellGap(group, from) {
    const {onGap} = group.callbacks;
    if (!onGap) return;
    const {epoch, offset} = group.position;
    this._call(() => onGap({groupId: group.id, epoch, from, to: offset}));
  }

  _onMember(event) {
    const group = this._groups.get(event.group_id);
    group?.view?.onEvent(event);
  }

  // The connection is no longer in the group, for example because of its token. If a join waits for its answer, the
  // group is an earlier membership's.
  _onExpelled(event) {
    const group = event.cmd === 'add_group' && event.id === undefined && this._groups.get(event.group_id);
    if (!group) return false;
    if (group.joined) {
      group.joined = false;
      this._onJoinFailed(group, toError(event));
    }
    return true;
  }

  _forget(group, error) {
    this._groups.delete(group.id);
    this._clock.cancel(group.retryTimer);
    group.endAbort();
    for (const waiter of group.waiters) waiter.reject(error);
    group.view?.end();
    const {onEnd} = group.callbacks;
    if (onEnd) this._call(() => onEnd(error));
  }
}
