// The dashboard: asks the gateway once a second how the services are, and shows what it says.

import * as api from './api.js';
import {Chart} from './charts.js';
import {$, element, setText, updateList} from './dom.js';
import {bytes, clock, compact, count, duration, plural, rate} from './format.js';
import {BusiestGroups, GroupDetail} from './groups.js';
import {errorsOf, headline, limitsOf, problemsOf} from './health.js';
import {History} from './metrics.js';
import {showFacts, showServices} from './services.js';
import {flagOf, meaningOfError, meaningOfLimit} from './words.js';

const PERIOD_MS = 1000;
const GROUPS_EVERY = 2;  // rounds
const LATENCY = 'groupcast_delivery_latency_seconds';
// For numbers that stand still long enough to be read.
const SMOOTH_SECONDS = 3;

const history = new History();
const groups = new BusiestGroups(openGroup);
const detail = new GroupDetail();
let charts = null;
let rounds = 0;
let silentSince = null;  // ms; the gateway does not answer

// ---- Rounds

async function loop() {
  const began = performance.now();
  try {
    const answer = await api.services();
    silentSince = null;
    showKeyForm(null);
    if (history.add(answer)) show();
    if (rounds++ % GROUPS_EVERY === 0) groups.refresh();
  } catch (error) {
    if (showFailure(error)) return;
  }
  setTimeout(loop, Math.max(100, PERIOD_MS - (performance.now() - began)));
}

function show() {
  $('main').hidden = false;
  showProblems(problemsOf(history));
  setText($('updated'), `As of ${clock(history.at)}`);
  showTiles();
  showCharts();
  showServices($('services'), history);
  showCounts('limits', limitsOf(history), ({limit}) => limit,
      ({limit, kind}) => [meaningOfLimit(limit), flagOf(limit, kind)]);
  showCounts('errors', errorsOf(history), ({code}) => code, ({code}) => [meaningOfError(code), '']);
}

// Returns whether the rounds end, until the person has done something.
function showFailure(error) {
  if (error.needsKey || error.status === 403) {
    showKeyForm(error);
    return true;
  }
  silentSince = silentSince || Date.now();
  setLevel('bad');
  setText($('headline'), error.status === 0 ? 'The gateway does not answer' : 'The gateway cannot answer');
  showProblemList([{
    title: error.message,
    detail: `Since ${clock(silentSince)}. The numbers below are old. This page asks again each second.`,
  }]);
  return false;
}

// ---- Status

function setLevel(level) {
  $('status').dataset.level = level;
}

function showProblems(problems) {
  setLevel(problems.length === 0 ? 'good' : problems[0].level);
  setText($('headline'), headline(problems));
  document.title = problems.length === 0 ? 'Groupcast dashboard' : `(!) ${headline(problems)} – Groupcast`;
  showProblemList(problems);
}

function showProblemList(problems) {
  $('problems').hidden = problems.length === 0;
  updateList($('problems'), problems, ({title}) => title,
      () => element('li', {children: [element('strong'), element('span')]}),
      (item, {level = 'bad', title, detail: text}) => {
        item.dataset.level = level;
        setText(item.firstElementChild, title);
        setText(item.lastElementChild, text);
      });
}

// ---- Numbers

// Not the channel server's counter, which has what services send each other too.
const PUBLICATIONS = 'groupcast_publications_total';

function perSecond(title, name) {
  return [title, rate(history.rate(name, {seconds: SMOOTH_SECONDS})), `${count(history.inLast(name))} in the last minute`];
}

function showTiles() {
  const [p50, p99] = history.quantiles(LATENCY, [0.5, 0.99]) || [null, null];
  const errors = ['groupcast_errors_total', 'groupcast_limit_hits_total'].map((name) => history.inLast(name));
  showFacts($('tiles'), [
    ['Connections', count(history.sum('groupcast_connections')), `${plural(history.sum('groupcast_memberships') || 0, 'membership')}`],
    perSecond('Published per second', PUBLICATIONS),
    perSecond('Delivered per second', 'groupcast_deliveries_total'),
    ['Median latency', duration(p50), `99 % within ${duration(p99)}`],
    ['Waits to be sent', bytes(history.sum('groupcast_outbox_bytes')), 'in all outboxes'],
    ['Errors', count(errors[0]), `and ${plural(errors[1], 'limit')} met, in the last minute`],
  ]);
}

function showCharts() {
  charts = charts || {
    traffic: new Chart($('charts'), {
      title: 'Messages per second', axis: compact, value: rate,
      lines: [{label: 'Delivered', color: '--series-1'}, {label: 'Published', color: '--series-2'}],
    }),
    latency: new Chart($('charts'), {
      title: 'Latency of deliveries', axis: duration, value: duration,
      lines: [{label: '99 %', color: '--series-3'}, {label: '95 %', color: '--series-2'}, {label: '50 %', color: '--series-1'}],
    }),
    connections: new Chart($('charts'), {
      title: 'Connections', axis: compact, value: count,
      lines: [{label: 'WebSocket', color: '--series-1'}, {label: 'HTTP', color: '--series-2'}],
    }),
  };
  charts.connections.add(history.at, [
    history.sum('groupcast_connections', {kind: 'websocket_service'}),
    history.sum('groupcast_connections', {kind: 'http_gateway'})]);
  charts.traffic.add(history.at, [history.rate('groupcast_deliveries_total'), history.rate(PUBLICATIONS)]);
  const [p50, p95, p99] = history.quantiles(LATENCY, [0.5, 0.95, 0.99], {seconds: SMOOTH_SECONDS}) || [null, null, null];
  charts.latency.add(history.at, [p99, p95, p50]);
}

// Limits or errors: how often, what it means, and the flag behind it.
function showCounts(id, counts, nameOf, wordsOf) {
  $(`${id}-empty`).hidden = counts.length > 0;
  updateList($(id), counts, (item) => `${item.kind} ${nameOf(item)}`, (item) => {
    const [meaning, flag] = wordsOf(item);
    return element('li', {children: [
      element('div', {className: 'row', children: [
        element('strong', {text: nameOf(item)}), element('span', {className: 'hint', text: item.kind}),
        element('span', {className: 'number'})]}),
      element('p', {children: [meaning, ...(flag ? [' ', element('code', {text: flag})] : [])]}),
    ]});
  }, (node, {recent, total}) => {
    node.classList.toggle('recent', recent > 0);
    setText(node.querySelector('.number'), recent > 0 ? `${count(recent)} in the last minute` : `${plural(total, 'time')} since the start`);
  });
}

// ---- Groups

function openGroup(id) {
  $('open-id').value = id;
  window.history.replaceState(null, '', `#group=${encodeURIComponent(id)}`);
  detail.open(id);
}

// ---- The key

function showKeyForm(error) {
  $('key-form').hidden = error === null;
  $('forget-key').hidden = error !== null || api.key.get() === '';
  if (error === null) return;
  $('main').hidden = true;
  detail.close();
  setLevel('waiting');
  showProblemList([]);
  const isRefused = api.key.get() !== '';
  setText($('headline'), isRefused ? 'The gateway refuses this key' : 'This page needs an API key');
  setText($('key-problem'), isRefused || error.status === 403 ? error.message : '');
  setText($('updated'), '');
  $('key').focus();
}

$('key-form').addEventListener('submit', (event) => {
  event.preventDefault();
  api.key.set($('key').value.trim());
  $('key').value = '';
  $('key-form').hidden = true;  // until the gateway refuses it, so that nobody starts two loops
  setText($('headline'), 'Asking the services…');
  loop();
});
$('forget-key').addEventListener('click', () => {
  api.key.set('');
  location.reload();
});

loop();
const wanted = new URLSearchParams(location.hash.slice(1)).get('group');
if (wanted) openGroup(wanted);
