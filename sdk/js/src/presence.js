// Who is in a group.

export function toMember({connection_id: connectionId, user, info, since}) {
  return {connectionId, user, info, since};
}

// The view of a group's members that one membership keeps. It follows the server's events, and is read anew with each
// join. Until it is whole the application keeps the one before.
export class MembersView {
  /**
   * @param {string} groupId
   * @param {ViewReader} reader
   * @param {function(Map, object)} onMembers gets the view and what has changed
   */
  constructor(groupId, reader, onMembers) {
    this.groupId = groupId;
    this._reader = reader;
    this._onMembers = onMembers;
    this._members = new Map();  // connection id -> member
    this._next = null;          // the same, while it is read, and after that has failed
  }

  load() {
    this._next = new Map();
    this._reader.read(this);
  }

  // From now on no callback is called.
  end() {
    this._onMembers = () => {};
    this._reader.drop(this);
  }

  onPage(page, isLast) {
    for (const member of page) this._next.set(member.connection_id, toMember(member));
    if (!isLast) return;
    const before = this._members;
    const members = this._members = this._next;
    this._next = null;
    this._onMembers(members, {
      joined: [...members.values()].filter(({connectionId}) => !before.has(connectionId)),
      left: [...before.values()].filter(({connectionId}) => !members.has(connectionId)),
    });
  }

  onEvent(event) {
    const member = toMember(event);
    const {connectionId} = member;
    const isJoin = event.event === 'member_joined';
    if (this._next) {
      if (isJoin) this._next.set(connectionId, member); else this._next.delete(connectionId);
      return;
    }
    const before = this._members.get(connectionId);
    if (isJoin) this._members.set(connectionId, member); else this._members.delete(connectionId);
    if (isJoin) this._onMembers(this._members, {joined: [member], left: []});
    else if (before) this._onMembers(this._members, {joined: [], left: [before]});
  }
}

// Reads the views of all groups one after the other, so that they never take the place of the application's own reads.
// A connection that is lost ends all of it: the next one joins the groups again, and then their views are read.
export class ViewReader {
  // `writable()` is the connection to write to, or null if there is none. `onError` gets why a view cannot be read.
  constructor(writable, onError) {
    this._writable = writable;
    this._onError = onError;
    this._views = new Set();  // to read; the first one is being read
    this._forget = null;      // forgets the command that waits for its page
  }

  // Begins with the first page, also if it is being read.
  read(view) {
    this.drop(view);
    this._views.add(view);
    this._ask();
  }

  drop(view) {
    const [first] = this._views;
    this._views.delete(view);
    if (view !== first) return;
    this._stop();
    this._ask();
  }

  clear() {
    this._views.clear();
    this._stop();
  }

  _stop() {
    this._forget?.();
    this._forget = null;
  }

  // Pages and events of one connection have one order. They are taken at once, so nothing is missing between them.
  _ask(after) {
    const [view] = this._views;
    const connection = this._writable();
    if (!view || this._forget || !connection) return;
    const id = connection.ask({cmd: 'group_members', group_id: view.groupId, limit: 500, after}, {
      onReply: ({members, next}) => {
        this._forget = null;
        const isLast = next === undefined;
        if (isLast) this._views.delete(view);
        view.onPage(members, isLast);
        this._ask(next);
      },
      onError: (error) => {
        this._forget = null;
        this._views.delete(view);
        error.groupId = view.groupId;
        this._onError(error);
        this._ask();
      },
      onLost: () => {},
    });
    this._forget = () => connection.forget(id);
  }
}
