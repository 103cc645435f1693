// The busiest groups, and one group in detail.

import * as api from './api.js';
import {$, element, setText, updateList} from './dom.js';
import {clock, count, plural, rate} from './format.js';

const GROUPS_SHOWN = 10;
const MEMBERS_SHOWN = 50;
const MESSAGES_SHOWN = 50;
const TEXT_SHOWN = 2000;  // characters of a message
const READ_AGAIN_MS = 2000;

/** The list of groups. `onOpen(id)` opens one. */
export class BusiestGroups {
  constructor(onOpen) {
    this.onOpen = onOpen;
    $('open-form').addEventListener('submit', (event) => {
      event.preventDefault();
      onOpen($('open-id').value);
    });
  }

  /** Reads and shows them. */
  async refresh() {
    try {
      this.#show((await api.busiestGroups(GROUPS_SHOWN)).groups);
    } catch (error) {
      $('groups-table').hidden = true;
      $('groups-empty').hidden = false;
      setText($('groups-empty'), error.message);
    }
  }

  #show(groups) {
    $('groups-table').hidden = groups.length === 0;
    $('groups-empty').hidden = groups.length > 0;
    setText($('groups-empty'), 'No group has members.');
    updateList($('groups'), groups, (group) => group.group_id, (group) => this.#makeRow(group), (row, group) => {
      setText(row.cells[1], count(group.members));
      setText(row.cells[2], rate(group.messages_per_second));
    });
  }

  #makeRow({group_id: id}) {
    const open = element('button', {className: 'link', text: id, attributes: {type: 'button', dir: 'auto'}});
    open.addEventListener('click', () => this.onOpen(id));
    return element('tr', {children: [
      element('th', {attributes: {scope: 'row'}, children: [open]}),
      element('td', {className: 'number'}), element('td', {className: 'number'}),
    ]});
  }
}

/** The group that is open, if one is. */
export class GroupDetail {
  constructor() {
    this.id = null;
    this.following = null;  // AbortController of the stream
    this.reading = null;    // the timer of the next reading
    $('follow').addEventListener('change', () => ($('follow').checked ? this.#follow() : this.#unfollow()));
    $('send-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#send();
    });
  }

  /** Shows this group, and reads it again until another one is open. */
  open(id) {
    this.close();
    this.id = id;
    setText($('group-title'), `Group ${id}`);
    $('group-empty').hidden = true;
    $('group-detail').hidden = false;
    this.#read();
    $('group-title').focus({preventScroll: true});
    $('group').scrollIntoView({block: 'nearest'});
  }

  close() {
    clearTimeout(this.reading);
    this.#unfollow();
    $('follow').checked = false;
    this.id = null;
    $('members').replaceChildren();
    $('messages').replaceChildren();
    setText($('members-count'), '');
    setText($('send-result'), '');
    this.#showProblem('');
  }

  async #read() {
    const id = this.id;
    const [members, history] = await Promise.allSettled([
      api.members(id, MEMBERS_SHOWN),
      this.following ? Promise.resolve(null) : api.messages(id, MESSAGES_SHOWN),
    ]);
    if (id !== this.id) return;
    if (members.status === 'fulfilled') this.#showMembers(members.value);
    if (history.status === 'fulfilled' && history.value !== null && !this.following) {
      updateList($('messages'), history.value.messages, (message) => message.offset, makeMessage, () => {});
      this.#showEnd();
    }
    const failed = [members, history].find(({status}) => status === 'rejected');
    this.#showProblem(failed ? failed.reason.message : '');
    this.reading = setTimeout(() => this.#read(), READ_AGAIN_MS);
  }

  #showMembers({count: all, members}) {
    setText($('members-count'), count(all) + (all > members.length ? `, ${members.length} of them here` : ''));
    $('members-empty').hidden = all > 0;
    updateList($('members'), members, (member) => member.connection_id, makeMember, () => {});
  }

  #showEnd() {
    const list = $('messages');
    while (list.childElementCount > MESSAGES_SHOWN) list.firstElementChild.remove();
    $('messages-empty').hidden = list.childElementCount > 0;
    const newest = list.lastElementChild;
    if (newest && newest !== this.newest) list.scrollTop = list.scrollHeight;
    this.newest = newest;
  }

  #showProblem(text) {
    $('group-problem').hidden = text === '';
    setText($('group-problem'), text);
  }

  // ---- Live events

  async #follow() {
    const id = this.id;
    const abort = this.following = new AbortController();
    $('messages').replaceChildren();
    let lastEventId = '';
    while (!abort.signal.aborted) {
      try {
        const end = await api.follow(id, {
          signal: abort.signal, lastEventId, history: MESSAGES_SHOWN,
          onEvent: (name, data) => abort.signal.aborted || this.#onEvent(name, data),
        });
        lastEventId = end.lastEventId;
        await new Promise((resolve) => setTimeout(resolve, end.retryMs));
      } catch (error) {
        if (abort.signal.aborted) return;
        $('follow').checked = false;
        this.#unfollow();
        this.#note(`The stream has ended: ${error.message}`);
      }
    }
  }

  #unfollow() {
    if (this.following) this.following.abort();
    this.following = null;
  }

  #onEvent(name, data) {
    if (name === 'message' && data.excluded !== true) {
      $('messages').append(makeMessage(data));
      this.#showEnd();
    } else if (name === 'gap') {
      this.#note('Messages from here are lost');
    } else if (name === 'member_joined' || name === 'member_left') {
      this.#note(`${data.user || data.connection_id} ${name === 'member_joined' ? 'joined' : 'left'}`);
    } else if (name === 'problem') {
      this.#note(data.detail);
    }
  }

  #note(text) {
    $('messages').append(element('li', {className: 'note', text}));
    this.#showEnd();
  }

  async #send() {
    const id = this.id;
    const button = $('send-form').querySelector('button');
    button.disabled = true;
    setText($('send-result'), 'Sending…');
    try {
      const {offset} = await api.publish(id, $('send-text').value);
      if (id !== this.id) return;
      $('send-text').value = '';
      setText($('send-result'), `Sent. The message has the offset ${offset}.`);
    } catch (error) {
      if (id === this.id) setText($('send-result'), `Not sent: ${error.message}`);
    } finally {
      button.disabled = false;
    }
  }
}

function makeMember({connection_id: id, user, since, info}) {
  const text = info === undefined ? '' : JSON.stringify(info);
  return element('li', {children: [
    element('span', {className: 'who', text: user || id, title: id, attributes: {dir: 'auto'}}),
    element('span', {className: 'hint', text: `${text} since ${clock(since)}`.trim()}),
  ]});
}

function makeMessage({message, offset, sent_at: sentAt, from}) {
  const text = typeof message === 'string' ? message : JSON.stringify(message);
  const shown = text.length > TEXT_SHOWN ? `${text.slice(0, TEXT_SHOWN)}… (${plural(text.length, 'character')})` : text;
  const item = element('li', {children: [
    element('span', {className: 'hint number', text: `${clock(sentAt)} · ${offset}` + (from ? ` · ${from.user || ''}` : '')}),
    element('span', {className: 'text', text: shown, attributes: {dir: 'auto'}}),
  ]});
  item.dataset.key = offset;
  return item;
}
