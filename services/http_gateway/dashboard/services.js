// The services, each with its workers.

import {bytes, count, duration, percent, rate} from './format.js';
import {element, setText, updateList} from './dom.js';

const TITLES = {channel_server: 'Channel server', websocket_service: 'WebSocket service', http_gateway: 'HTTP gateway'};
const WORDS = {
  channel_server: 'gives every group its order', websocket_service: 'serves WebSocket clients',
  http_gateway: 'serves HTTP clients and this page',
};

/** Shows the newest answer of `history` in `parent`. */
export function showServices(parent, history) {
  updateList(parent, history.services, (service) => service.address, makeService,
      (card, service) => updateService(card, service, history));
}

function makeService() {
  return element('article', {className: 'card service', children: [
    element('header', {children: [
      element('div', {children: [element('h3'), element('p', {className: 'hint'})]}),
      element('p', {className: 'pill'}),
    ]}),
    element('p', {className: 'reason'}),
    element('dl', {className: 'facts'}),
    element('details', {children: [
      element('summary', {text: 'Workers'}),
      element('div', {className: 'scroll', attributes: {tabindex: '0'}, children: [element('table', {children: [
        element('thead', {children: [element('tr', {children: ['Worker', 'Connections', 'Groups', 'Delivered/s', 'Memory', 'CPU', 'Restarts']
            .map((text, i) => element('th', {text, className: i === 0 ? '' : 'number', attributes: {scope: 'col'}}))})]}),
        element('tbody'),
      ]})]}),
    ]}),
  ]});
}

function updateService(card, service, history) {
  const state = !service.up ? 'down' : service.ready ? 'ready' : 'not ready';
  card.dataset.state = state;
  setText(card.querySelector('h3'), TITLES[service.kind] || service.kind || 'Unknown service');
  setText(card.querySelector('.hint'), `${WORDS[service.kind] || 'has not answered yet'} · ${service.address}` +
      (service.version ? ` · ${service.version}` : ''));
  setText(card.querySelector('.pill'), state);
  const reason = card.querySelector('.reason');
  setText(reason, service.reason);
  reason.hidden = service.reason === '';
  showFacts(card.querySelector('.facts'), factsOf(service, history));
  const workers = service.workers;
  card.querySelector('details').hidden = workers.length === 0;
  setText(card.querySelector('summary'), `Workers (${workers.length})`);
  updateList(card.querySelector('tbody'), workers, (worker) => worker, makeWorker,
      (row, worker) => updateWorker(row, worker, service, history));
}

function factsOf(service, history) {
  if (!service.metrics) return [];
  const cpu = cpuOf(service, {}, history);
  const facts = [];
  if (service.kind === 'channel_server') {
    facts.push(['Workers', count(service.sum('groupcast_channel_workers'))],
        ['Groups', count(service.sum('groupcast_channel_groups'))],
        ['Kept messages', count(service.sum('groupcast_channel_retained_messages'))]);
    const log = service.sum('groupcast_channel_log_bytes');
    const [write] = history.quantiles('groupcast_channel_log_write_seconds', [0.99]) || [null];
    if (log !== null) facts.push(['Log', bytes(log)], ['Log write p99', duration(write)]);
  } else {
    const ready = service.sum('groupcast_workers', {state: 'ready'});
    const all = service.sum('groupcast_workers');
    facts.push(['Workers ready', all === null ? count(service.workers.length) : `${count(ready || 0)} of ${count(all)}`],
        ['Connections', count(service.sum('groupcast_connections'))]);
    if (service.kind === 'http_gateway') facts.push(['Streams', count(service.sum('groupcast_streams'))]);
    facts.push(['Restarts', count(service.sum('groupcast_worker_restarts_total') || 0)]);
  }
  facts.push(['Memory', bytes(service.sum('groupcast_resident_memory_bytes'))], ['CPU', percent(cpu)],
      ['Open files', count(service.sum('groupcast_open_files'))]);
  return facts;
}

/** Shows [[name, value, more], …] as a list of definitions. `more` is a line below the value, or missing. */
export function showFacts(list, facts) {
  updateList(list, facts, ([name]) => name,
      ([name, , more]) => element('div', {children: [
        element('dt', {text: name}), element('dd', {className: 'number'}),
        ...(more === undefined ? [] : [element('dd', {className: 'number more'})]),
      ]}),
      (fact, [, ...values]) => values.forEach((value, i) => setText(fact.children[i + 1], value)));
}

function makeWorker(worker) {
  return element('tr', {children: [
    element('th', {text: worker, attributes: {scope: 'row'}}),
    ...Array.from({length: 6}, () => element('td', {className: 'number'})),
  ]});
}

function updateWorker(row, worker, service, history) {
  const labels = {worker};
  const delivered = ofService(history, service, 'groupcast_deliveries_total', labels, 3);
  [count(service.sum('groupcast_connections', labels)), count(service.sum('groupcast_groups', labels)), rate(delivered),
    bytes(service.sum('groupcast_resident_memory_bytes', labels)), percent(cpuOf(service, labels, history)),
    count(service.sum('groupcast_worker_restarts_total', labels) || 0)]
      .forEach((text, i) => setText(row.cells[i + 1], text));
}

// The part of one core that it has used in the last seconds.
function cpuOf(service, labels, history) {
  return ofService(history, service, 'groupcast_cpu_seconds_total', labels, 5);
}

// The growth per second of a counter of one service.
function ofService(history, service, name, labels, seconds) {
  if (service.sum(name, labels) === null || history.seconds === 0) return null;
  return history.rate(name, {labels, seconds, address: service.address});
}
