// Who is in a group.

export function toMember({connection_id: connectionId, user, info, since}) {
  return {connectionId, user, info, since};
}

// The view of a group's members that one membership keeps. It follows the server's events, and is read anew with each
// join. Until it is whole the application keeps the one before.
export class MembersView {
  /**
   * @param {function(string=): Promise} readPage asks for the page after this connection id
   * @param {function(Map, object)} onMembers gets the view and what has changed
   * @param {function(Error)} onError
   */
  constructor(readPage, onMembers, onError) {
    this._readPage = readPage;
    this._onMembers = onMembers;
    this._onError = onError;
    this._members = new Map();  // connection id -> member
    this._next = null;          // the same, while it is read
  }

  // Pages and events of one connection have one order, so nothing is missing between them.
  async load() {
    const members = this._next = new Map();
    try {
      let after;
      do {
        const page = await this._readPage(after);
        if (this._next !== members) return;  // a later load, which began after this one
        for (const member of page.members) members.set(member.connection_id, toMember(member));
        after = page.next;
      } while (after !== undefined);
    } catch (error) {
      if (this._next !== members) return;
      this._next = null;
      this._onError(error);
      return;
    }
    this._next = null;
    const before = this._members;
    this._members = members;
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
