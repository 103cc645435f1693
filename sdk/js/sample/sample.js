'use strict';

// A chat over groupcast.js. The page is opened from the WebSocket service, or from the file system.
// Parameters of the address: url, group, name.

(() => {
  const MESSAGES_MAX = 500;  // the oldest leave the page
  const HISTORY = 50;        // of the newest messages, for who comes in

  const $ = (id) => document.getElementById(id);
  const parameters = new URLSearchParams(location.search);
  const url = parameters.get('url') ||
      (location.protocol.startsWith('http') ? location.origin.replace(/^http/, 'ws') : 'ws://127.0.0.1:1234');

  $('name').value = parameters.get('name') || 'Guest ' + (100 + Math.floor(Math.random() * 900));
  $('group').value = parameters.get('group') || '123';
  $('snippet').textContent = $('snippet').textContent.replace('ws://127.0.0.1:1234', () => url);

  let group = null;       // the group that is shown, from the click on Join to Leave
  let joined = false;     // and whether the service has answered
  let unanswered = [];    // what was sent and is not acknowledged yet, oldest first: {name, text}
  let ownOffsets = new Set();  // acknowledged and not yet shown

  // ---- Connection ----

  let client;
  let countdown = null;
  try {
    client = new groupcast.Client(url);
  } catch (error) {
    showState('closed', 'Cannot connect to ' + url);
    $('join').disabled = true;
    return;
  }
  client.on('state', onState);
  client.on('error', (error) => addNote(error.message, true));

  function onState(event) {
    clearInterval(countdown);
    switch (event.state) {
      case 'connecting':
        showState('connecting', 'Reconnecting…');
        break;
      case 'open':
        showState('open', 'Connected');
        break;
      case 'waiting':
        countDown(event.retryInMs);
        break;
      case 'closed':
        showState('closed', 'Disconnected' + (event.reason ? ': ' + event.reason : ''));
        break;
    }
  }

  function countDown(ms) {
    const at = Date.now() + ms;
    const show = () => {
      const seconds = Math.ceil((at - Date.now()) / 1000);
      showState('waiting', seconds > 1 ? 'Reconnecting in ' + seconds + ' s' : 'Reconnecting…');
    };
    show();
    countdown = setInterval(show, 250);
  }

  function showState(state, text) {
    const pill = $('state');
    pill.dataset.state = state;
    // A status is read aloud when it changes: do not change it to what it is.
    if (pill.textContent !== text) pill.textContent = text;
  }

  // ---- Groups ----

  $('join-form').addEventListener('submit', (event) => {
    event.preventDefault();
    const wanted = $('group').value;
    if (wanted !== group) join(wanted);
    $('text').focus();
  });
  $('leave').addEventListener('click', leave);
  $('group').addEventListener('input', showButtons);

  async function join(wanted) {
    if (group !== null) leave();
    group = wanted;
    joined = false;
    clearLog();
    showButtons();
    try {
      await client.join(wanted, addMessage, {history: HISTORY, onGap, onRecovered});
    } catch (error) {
      if (group !== wanted || error.code === 'left') return;
      group = null;
      showButtons();
      addNote('Could not join ' + wanted + ': ' + error.message, true);
      return;
    }
    if (group !== wanted) return;
    joined = true;
    showEmpty();
  }

  function leave() {
    const left = group;
    group = null;
    client.leave(left).catch((error) => addNote('Could not leave: ' + error.message, true));
    showButtons();
    showEmpty();
    addNote('You left ' + left + '.');
  }

  function onGap() {
    addBreak('Some messages from here are lost');
  }

  // Back after a reconnect. What was missed comes below the break, which says how much that is.
  async function onRecovered({groupId, epoch, offset}) {
    const item = addBreak('Caught up');
    try {
      const missed = await client.history(groupId, {since: {epoch, offset}});
      const count = missed.messages.filter(({message}) => !isFrom($('name').value, message)).length;
      item.textContent = 'Caught up: ' + (count === 0 ? 'nothing was missed' :
          (missed.recovered ? '' : 'over ') + (count === 1 ? '1 message' : count + ' messages'));
    } catch (error) {
      // The messages come all the same, only uncounted.
    }
  }

  function showButtons() {
    const inGroup = group !== null;
    const elsewhere = inGroup && $('group').value !== group;
    $('join').textContent = inGroup ? 'Switch' : 'Join';
    $('join').hidden = inGroup && !elsewhere;
    $('leave').hidden = !inGroup || elsewhere;
    $('text').disabled = $('send').disabled = !inGroup;
    $('text').placeholder = inGroup ? 'Message to ' + group : 'Join a group first';
  }

  // ---- Sending ----

  $('send-form').addEventListener('submit', async (event) => {
    event.preventDefault();
    const text = $('text').value;
    if (text === '' || group === null) return;
    $('text').value = '';
    const to = group;
    const sent = {name: $('name').value || 'Somebody', text};
    unanswered.push(sent);
    const waiting = client.state === 'open' ? null : addNote('Will be sent when connected: ' + text);
    try {
      const {offset} = await client.send(to, sent);
      if (group === to && !markOwn(offset)) ownOffsets.add(offset);
    } catch (error) {
      if (group === to) addNote(explain(error) + ': ' + text, true);
    } finally {
      unanswered = unanswered.filter((other) => other !== sent);
      if (waiting) waiting.remove();
    }
  });

  function explain(error) {
    switch (error.code) {
      case 'queue_full': return 'Not sent, too much is waiting already';
      case 'outcome_unknown': return 'No answer came, so this may or may not have been sent';
      default: return 'Not sent (' + error.message + ')';
    }
  }

  // ---- The log ----

  // Anybody may send anything to a group: whatever comes is shown as text.
  function addMessage(message, info) {
    const said = message !== null && typeof message === 'object' && typeof message.text === 'string';
    const name = said && typeof message.name === 'string' && message.name !== '' ? message.name : null;
    const text = said ? message.text : typeof message === 'string' ? message : JSON.stringify(message);

    const item = document.createElement('li');
    item.className = 'message';
    item.dataset.offset = info.offset;
    item.dataset.sender = name === null ? '' : 'name:' + name;
    if (!said) item.classList.add('bare');
    item.style.setProperty('--hue', hue(name || ''));
    item.append(
        element('span', 'who', name || 'without a name'),
        element('span', 'bubble', text),
        time(info.sentAt));

    // The message may come before its acknowledgement, which then decides.
    const mine = said && unanswered.some((sent) => sent.name === message.name && sent.text === message.text);
    if (ownOffsets.has(info.offset) || mine) item.classList.add('own');
    for (const offset of ownOffsets) {
      if (offset <= info.offset) ownOffsets.delete(offset);
    }

    append(item);
    joinToPrevious(item);
  }

  function isFrom(name, message) {
    return message !== null && typeof message === 'object' && message.name === name;
  }

  function markOwn(offset) {
    const item = $('log').querySelector('[data-offset="' + Number(offset) + '"]');
    if (!item) return false;
    if (!item.classList.contains('own')) {
      item.classList.add('own');
      joinToPrevious(item);
    }
    return true;
  }

  function joinToPrevious(item) {
    const previous = item.previousElementSibling;
    const same = previous !== null && previous.classList.contains('message') &&
        previous.dataset.sender === item.dataset.sender &&
        previous.classList.contains('own') === item.classList.contains('own');
    item.classList.toggle('more', same);
    if (previous !== null) previous.classList.toggle('before-more', same);
  }

  function addNote(text, isProblem = false) {
    const item = element('li', isProblem ? 'note problem' : 'note', text);
    append(item);
    return item;
  }

  function addBreak(text) {
    const item = addNote(text);
    item.classList.add('break');
    return item;
  }

  function append(item) {
    const log = $('log');
    log.append(item);
    while (log.childElementCount > MESSAGES_MAX) log.firstElementChild.remove();
    showEmpty();
    keepAtEnd();
  }

  // The newest message stays in sight, also when the page changes its size; who has scrolled up to read stays there.
  let atEnd = true;
  function keepAtEnd() {
    if (atEnd) $('scroll').scrollTop = $('scroll').scrollHeight;
  }
  $('scroll').addEventListener('scroll', (event) => {
    const {scrollHeight, scrollTop, clientHeight} = event.target;
    atEnd = scrollHeight - scrollTop - clientHeight < 80;
  });
  new ResizeObserver(keepAtEnd).observe($('scroll'));

  function clearLog() {
    $('log').replaceChildren();
    ownOffsets = new Set();
    showEmpty();
  }

  function showEmpty() {
    $('empty').hidden = $('log').childElementCount > 0;
    $('empty-title').textContent = group === null ? 'Pick a name and a group, and join.' :
        joined ? 'You are in ' + group + '.' :
        'Joining ' + group + '…';
    $('empty-hint').hidden = !joined || group === null;
    if (group === null) return;
    const second = new URLSearchParams({group});
    if (parameters.get('url')) second.set('url', url);
    $('second-tab').href = '?' + second;
  }

  function element(tag, className, text) {
    const made = document.createElement(tag);
    made.className = className;
    made.dir = 'auto';
    made.textContent = text;
    return made;
  }

  function time(ms) {
    const made = document.createElement('time');
    const date = new Date(ms);
    if (!Number.isNaN(date.getTime())) {
      made.dateTime = date.toISOString();
      made.textContent = date.toLocaleTimeString([], {hour: '2-digit', minute: '2-digit'});
    }
    return made;
  }

  // A color of one's own for each name.
  function hue(name) {
    let hash = 0;
    for (const c of name) hash = (hash * 31 + c.codePointAt(0)) % 360;
    return hash;
  }

  // ---- The three lines ----

  $('copy').addEventListener('click', async () => {
    const text = $('snippet').textContent;
    try {
      await navigator.clipboard.writeText(text);
      $('copy').textContent = 'Copied';
    } catch (error) {
      // No permission: leave it selected, for the keyboard.
      getSelection().selectAllChildren($('snippet'));
      $('copy').textContent = 'Press Ctrl+C';
    }
    setTimeout(() => { $('copy').textContent = 'Copy'; }, 2000);
  });

  showButtons();
})();
