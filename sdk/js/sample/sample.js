'use strict';

// A chat over groupcast.js that shows what the connection does. The page is opened from the WebSocket service, or from
// the file system. Parameters of the address: url, group, name.

(() => {
  const HISTORY = 50;  // of the newest messages, for a person who comes in
  const DEFAULT_URL = 'ws://127.0.0.1:1234';

  const parameters = new URLSearchParams(location.search);
  const url = parameters.get('url') ||
      (location.protocol.startsWith('http') ? location.origin.replace(/^http/, 'ws') : DEFAULT_URL);

  const memory = new TabMemory(() => ({
    name: $('name').value, session: client?.session, memberId, ...conversation?.toRemember(),
  }));
  const {remembered} = memory;
  $('name').value = parameters.get('name') || remembered.name || 'Guest ' + (100 + Math.floor(Math.random() * 900));
  $('group').value = parameters.get('group') || remembered.groupId || '123';
  setText($('snippet'), $('snippet').textContent.replace(DEFAULT_URL, () => url));

  let conversation = null;  // of the group that is shown, from the click on Join to Leave
  let isJoined = false;     // and whether the service has answered
  let memberId = remembered.memberId || '';  // this tab's among the members, which it keeps over short losses
  let members = new Map();
  let historyEnd = Infinity;  // the offset up to which messages are from before the join; not known at first

  const inspectorView = new InspectorView();
  const inspector = new Inspector(() => performance.now(), soon(() => inspectorView.render(inspector)));
  const wire = new Wire(inspector);
  const logView = new LogView($('log'), {onRetry: retry, onDiscard: discard});
  const keepLogAtEnd = keepAtEnd($('scroll'));
  const render = soon(renderNow);

  // ---- Connection ----

  let client;
  try {
    client = new groupcast.Client(url, {WebSocket: wire.WebSocket, session: remembered.session});
  } catch (error) {
    showState('closed', 'Cannot connect to ' + url);
    $('join').disabled = true;
    return;
  }
  client.on('state', onState);
  client.on('error', (error) => problem(error.message));

  const trial = new Trial(url, wire, client, {
    counterName: () => name() + '’s counter', onHold, onCounterSend: (id) => inspector.noteSent(id),
    onCounterProblem: (error) => problem('Counter: ' + error.message),
  }, (place) => conversation !== null && conversation.isRecovered(place));

  let wasOpen = false;
  let last = {state: 'connecting'};
  let retryAt = 0;        // by performance.now(), like the next
  let heldUntil = null;

  function onState(event) {
    last = event;
    wasOpen ||= event.state === 'open';
    conversation?.setAway(wasOpen && event.state !== 'open');
    if (event.state === 'waiting') retryAt = performance.now() + event.retryInMs;
    renderState();
  }

  function onHold(until) {
    heldUntil = until;
    renderState();
  }

  function renderState() {
    const attempt = wasOpen ? 'Reconnecting…' : 'Connecting…';
    if (heldUntil !== null) showState('offline', 'Offline', heldUntil);
    else if (last.state === 'open') showState('open', 'Connected');
    else if (last.state === 'closed') showState('closed', 'Disconnected' + (last.reason ? ': ' + last.reason : ''));
    else showState(last.state, attempt, last.state === 'waiting' ? retryAt : 0);
  }
  setInterval(renderState, 250);

  // The countdown is not read aloud.
  function showState(state, text, until = 0) {
    const seconds = Math.ceil((until - performance.now()) / 1000);
    $('state').dataset.state = state;
    setText($('state-text'), text);
    setText($('state-count'), seconds > 1 ? seconds + ' s' : '');
  }

  // ---- Groups ----

  $('join-form').addEventListener('submit', (event) => {
    event.preventDefault();
    join($('group').value, {});
    renderNow();  // what is hidden takes no focus
    $('text').focus();
  });
  $('leave').addEventListener('click', leave);

  async function join(groupId, own) {
    const joining = conversation = new Conversation(groupId, own, render);
    conversation.memberId = memberId;
    isJoined = false;
    historyEnd = Infinity;
    setText($('join-problem'), '');
    inspector.watchGroup(groupId);
    trial.watchGroup(groupId);
    showAddress(groupId);
    render();
    try {
      await client.join(groupId, onMessage, {history: HISTORY, onGap, onRecovered, onMembers});
    } catch (error) {
      if (conversation !== joining || error.code === 'left') return;
      endConversation();
      setText($('join-problem'), 'Could not join ' + groupId + ': ' + error.message);
      return;
    }
    if (conversation !== joining) return;
    isJoined = true;
    render();
    const head = await headOf(groupId);
    if (conversation === joining) historyEnd = head === null ? 0 : head.offset;
  }

  function leave() {
    const {groupId} = conversation;
    endConversation();
    client.leave(groupId).catch((error) => setText($('join-problem'), 'Could not leave: ' + error.message));
    renderNow();
    $('join').focus();
  }

  function endConversation() {
    conversation = null;
    members = new Map();
    memberId = '';
    trial.watchGroup(null);
    inspector.watchGroup(null);
    render();
  }

  // The address of the page names the group, so that a reload or a friend finds it.
  function showAddress(groupId) {
    try {
      history.replaceState(null, '', addressOf(groupId));
    } catch (error) {
      // A page that may not change its address: the tab's memory knows the group.
    }
  }

  function addressOf(groupId) {
    const query = new URLSearchParams({group: groupId});
    if (parameters.get('url')) query.set('url', url);
    return location.href.replace(/[?#].*$/, '') + '?' + query;
  }

  $('copy-link').addEventListener('click', async () => {
    const link = addressOf(conversation.groupId);
    try {
      await navigator.clipboard.writeText(link);
      flash($('copy-link'), 'Copied');
    } catch (error) {
      conversation.note('Invite link: ' + link);
    }
  });

  // ---- Members ----

  function onMembers(now, {joined, left}) {
    members = now;
    if (!members.has(memberId)) {
      const isAgain = memberId !== '';
      memberId = conversation.memberId = wire.connectionId;
      // So that the others know who this is. What is not told now is told with the first message.
      client.send(conversation.groupId, {kind: 'here', name: name(), by: memberId, isAgain}).catch(() => {});
    }
    render();
  }

  function nameOf(connectionId) {
    if (connectionId === memberId) return name() + ' (you)';
    return conversation.names.get(connectionId) || 'Member ' + connectionId.slice(0, 4);
  }

  function name() {
    return $('name').value || 'Somebody';
  }

  // ---- Sending ----

  $('send-form').addEventListener('submit', (event) => {
    event.preventDefault();
    const text = $('text').value;
    if (text.trim() === '' || conversation === null) return;
    const id = Array.from(crypto.getRandomValues(new Uint32Array(3)), (part) => part.toString(36)).join('');
    const outgoing = conversation.send(id, name(), text, Date.now());
    if (!outgoing) {
      problem('Too many messages have not been sent. Retry or discard them first.');
      return;
    }
    $('text').value = '';
    inspector.noteSent(id);
    transmit(conversation, outgoing);
  });

  async function transmit(from, {id, name, text}) {
    try {
      from.onAcknowledged(id, await client.send(from.groupId, {id, name, by: memberId, text}));
    } catch (error) {
      from.onFailed(id, error.code === 'outcome_unknown', error.message);
      if (conversation !== from) problem('Not sent to ' + from.groupId + ': ' + text);
    }
  }

  async function retry(id) {
    const from = conversation;
    const outgoing = from.outgoing(id);
    const wasUnknown = outgoing.status === 'unknown';
    from.onRetry(id);
    if (wasUnknown && await hasArrived(from, id)) return;
    transmit(from, outgoing);
  }

  // Whether a message with an unknown outcome was sent after all. Then it is delivered here like any other.
  async function hasArrived(from, id) {
    try {
      const {messages} = await client.history(from.groupId);
      const found = messages.find(({message}) => message?.id === id);
      if (found) from.onMessage(found.message, found);
      return found !== undefined;
    } catch (error) {
      return false;
    }
  }

  function discard(id) {
    conversation.discard(id);
    $('text').focus();
  }

  // ---- What comes ----

  function onMessage(message, info) {
    const entry = conversation.onMessage(message, info);
    trial.onMessage(message, info);
    if (entry?.kind !== 'message' || entry.isOwn || info.offset <= historyEnd) return;
    countUnread();
    // A catch-up is announced as a whole, and the counter not at all.
    if (!conversation.isRecovered(info) && message?.series === undefined) announce(entry.name + ': ' + entry.text);
  }

  function onGap(gap) {
    historyEnd = 0;
    conversation.onGap(gap);
    trial.onGap(gap);
    announce(gapText(gap));
  }

  async function onRecovered({groupId, epoch, offset}) {
    const from = conversation;
    const recovery = from.onRecovered({epoch, offset});
    const head = await headOf(groupId);
    from.onHead(recovery, head?.epoch === epoch ? head.offset : null);
    if (conversation !== from) return;
    trial.onRecoveries();
    announce(recoveryText({count: from.recoveredCount(recovery)}));
  }

  // Messages up to here are old, those after it are live. null if that cannot be read; the messages come all the same.
  async function headOf(groupId) {
    try {
      return await client.history(groupId, {limit: 1});
    } catch (error) {
      return null;
    }
  }

  function announce(text) {
    setText($('announcer'), text);
  }

  function problem(text) {
    if (conversation) conversation.note(text, true);
    else setText($('join-problem'), text);
    announce(text);
  }

  // ---- The title ----

  let unread = 0;
  function countUnread() {
    if (document.visibilityState !== 'hidden') return;
    ++unread;
    renderTitle();
  }
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'hidden') return;
    unread = 0;
    renderTitle();
  });

  function renderTitle() {
    const count = unread > 0 ? '(' + unread + ') ' : '';
    document.title = count + (conversation ? conversation.groupId + ' · ' : '') + 'Groupcast';
  }

  // ---- The page ----

  $('empty-action').addEventListener('click', () => {
    trial.startCounter();
    $('text').focus();
  });

  function renderNow() {
    const isInGroup = conversation !== null;
    document.body.dataset.place = isInGroup ? 'group' : 'start';
    $('join-form').hidden = isInGroup;
    for (const id of ['bar', 'scroll', 'send-form', 'trial']) $(id).hidden = !isInGroup;
    renderTitle();
    logView.render(isInGroup ? conversation.view(Date.now()) : []);
    if (!isInGroup) return;
    const {groupId} = conversation;
    setText($('group-name'), groupId);
    $('text').placeholder = 'Message to ' + groupId;
    $('empty').hidden = !conversation.isEmpty;
    setText($('empty-title'),
        isJoined ? 'You are in ' + groupId + '. It is quiet here.' : 'Joining ' + groupId + '…');
    $('empty-hint').hidden = $('empty-action').hidden = !isJoined || trial.isCounting;
    setText($('members-count'), members.size === 0 ? '…' : members.size + ' here');
    $('members-list').replaceChildren(...[...members.keys()].map((id) => {
      const item = element('li', '', nameOf(id));
      return withHue(item, id === memberId ? name() : conversation.names.get(id) || '');
    }));
    keepLogAtEnd();
  }

  // ---- The three lines ----

  $('copy').addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText($('snippet').textContent);
      flash($('copy'), 'Copied');
    } catch (error) {
      // No permission: leave it selected, for the keyboard.
      getSelection().selectAllChildren($('snippet'));
      flash($('copy'), 'Press Ctrl+C');
    }
  });

  function flash(button, text) {
    if (button.dataset.isFlashing) return;
    const usual = [...button.childNodes];
    button.dataset.isFlashing = true;
    setText(button, text);
    setTimeout(() => {
      button.replaceChildren(...usual);
      delete button.dataset.isFlashing;
    }, 2000);
  }

  // After a reload: where the tab was.
  if (remembered.groupId && remembered.groupId === $('group').value) join(remembered.groupId, remembered);
  else render();
})();
