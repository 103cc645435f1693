'use strict';

// Shows a conversation. An entry keeps its element over all changes, so focus and selection stay.

class LogView {
  /** `owner` gets onRetry(id) and onDiscard(id). */
  constructor(list, owner) {
    this._list = list;
    this._owner = owner;
    this._items = new Map();  // key -> {item, shown}
  }

  render(entries) {
    const keys = new Set(entries.map(({key}) => key));
    for (const [key, {item}] of this._items) {
      if (keys.has(key)) continue;
      item.remove();
      this._items.delete(key);
    }
    let at = this._list.firstElementChild;
    for (const entry of entries) {
      const item = this._itemOf(entry);
      if (item === at) at = at.nextElementSibling;
      else this._list.insertBefore(item, at);
    }
  }

  _itemOf(entry) {
    const shown = JSON.stringify(entry);
    let known = this._items.get(entry.key);
    if (!known) {
      known = {item: document.createElement('li'), shown: ''};
      this._items.set(entry.key, known);
    }
    if (known.shown !== shown) this._fill(known.item, entry);
    known.shown = shown;
    return known.item;
  }

  _fill(item, entry) {
    if (entry.kind === 'message') {
      this._fillMessage(item, entry);
      return;
    }
    if (entry.kind === 'counters') {
      item.className = 'counters';
      item.replaceChildren(...entry.names.map((name) => withHue(element('span', 'who', name), name)));
      return;
    }
    item.className = 'note ' + entry.kind + (entry.isProblem ? ' problem' : '');
    const text = element('span', '', noteText(entry));
    text.dir = 'ltr';  // the page's own words are English
    item.replaceChildren(text);
  }

  _fillMessage(item, entry) {
    const {status, isOwn, isBare, isNumber, isRecovered, isMore, hasMore} = entry;
    item.className = ['message', status, isOwn && 'own', isBare && 'bare', isRecovered && 'recovered',
      isNumber && 'number', isMore && 'more',
      hasMore && 'before-more'].filter(Boolean).join(' ');
    withHue(item, entry.name);
    const bubble = element('span', 'bubble');
    bubble.dir = 'auto';
    bubble.append(...textParts(entry.text).map(textOrLink));
    item.replaceChildren(element('span', 'who', entry.name), bubble, this._meta(entry));
  }

  _meta(entry) {
    const {status, problem} = entry;
    const meta = element('span', 'meta');
    if (entry.isRecovered) meta.append(element('span', 'tag', 'recovered'), ' ');
    switch (status) {
      case 'pending':
        meta.append(element('span', 'progress', entry.isWaiting ? 'Waiting for the connection' : 'Sending'));
        break;
      case 'failed':
      case 'unknown':
        meta.append(
            element('span', 'problem', (status === 'failed' ? 'Not sent: ' : 'Perhaps not sent: ') + problem),
            this._button('Retry', entry, this._owner.onRetry), this._button('Discard', entry, this._owner.onDiscard));
        break;
      default:
        meta.append(timeElement(entry.sentAt));
        if (entry.isOwn) {
          const check = element('span', 'check');
          check.append(element('span', 'hidden-label', 'sent'));
          meta.append(check);
        }
    }
    return meta;
  }

  _button(text, entry, onClick) {
    const made = element('button', 'small', text);
    made.type = 'button';
    made.addEventListener('click', () => onClick(entry.id));
    return made;
  }
}

function noteText(entry) {
  switch (entry.kind) {
    case 'day': return entry.label;
    case 'recovery': return recoveryText(entry);
    case 'away': return 'The connection is lost. What others say now comes later.';
    case 'gap': return gapText(entry);
    default: return entry.text;
  }
}

function recoveryText({count}) {
  if (count === 0) return 'Connection was lost and is back. Nothing was missed.';
  return 'Connection was lost and is back. Recovered: ' + (count === 1 ? '1 message' : count + ' messages');
}

function gapText({from, to}) {
  return from === null ? 'Gap: the server has begun a new history. What it had and you had not seen is lost.' :
      'Gap: the server no longer has the messages after offset ' + from + ', up to ' + to + '.';
}

function textOrLink({text, href}) {
  if (!href) return text;
  const link = element('a', '', text);
  link.href = href;
  link.target = '_blank';
  link.rel = 'noopener noreferrer';
  return link;
}

function timeElement(ms) {
  const made = document.createElement('time');
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return made;
  made.dateTime = date.toISOString();
  made.textContent = date.toLocaleTimeString([], {hour: '2-digit', minute: '2-digit'});
  return made;
}

// A color of one's own for each name.
function withHue(item, name) {
  let hash = 0;
  for (const c of name) hash = (hash * 31 + c.codePointAt(0)) % 360;
  item.style.setProperty('--hue', hash);
  return item;
}
