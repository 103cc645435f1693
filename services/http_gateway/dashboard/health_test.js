import assert from 'node:assert/strict';
import test from 'node:test';
import {errorsOf, headline, limitsOf, problemsOf} from './health.js';
import {History} from './metrics.js';
import {LIMITS} from './words.js';

const GOOD = {
  channel_server: {groupcast_channel_lagging_workers: 0, groupcast_channel_log_failed_writes_total: 0},
  websocket_service: {
    groupcast_workers: [[{state: 'ready'}, 2], [{state: 'starting'}, 0]],
    groupcast_worker_restarts_total: [[{worker: '1'}, 0], [{worker: '2'}, 3]],
    groupcast_channel_connected: [[{worker: '1'}, 1], [{worker: '2'}, 1]],
    groupcast_window_bytes: [[{worker: '1'}, 0]], groupcast_window_limit_bytes: [[{worker: '1'}, 1000]],
    groupcast_gaps_total: [[{worker: '1'}, 5]],
    groupcast_errors_total: [[{worker: '1', code: 'internal'}, 2]],
    groupcast_limit_hits_total: [[{worker: '1', limit: 'message'}, 9]],
    groupcast_slow_consumer_closes_total: [[{worker: '1'}, 1]],
    groupcast_log_lines_dropped_total: [[{worker: '1'}, 4]],
    groupcast_delivery_latency_seconds_bucket: [[{le: '0.01'}, 10], [{le: '5'}, 10], [{le: '+Inf'}, 10]],
  },
};
const ADDRESSES = {channel_server: '127.0.0.1:9206', websocket_service: '127.0.0.1:9234'};

function answer(at, changes = {}) {
  return {at, services: Object.entries(GOOD).map(([kind, good]) => {
    const {service = {}, ...metrics} = changes[kind] || {};
    const samples = {groupcast_build_info: [{labels: {service: kind}, value: 1}]};
    for (const [name, value] of Object.entries({...good, ...metrics})) {
      samples[name] = Array.isArray(value) ? value.map(([labels, number]) => ({labels, value: number})) : [{labels: {}, value}];
    }
    const all = {address: ADDRESSES[kind], up: true, ready: true, metrics: samples, ...service};
    if (!all.up) delete all.metrics;
    return all;
  })};
}

// The problems after a good answer and one with these changes.
function problemsAfter(changes) {
  const history = new History();
  history.add(answer(1000));
  history.add(answer(2000, changes));
  return problemsOf(history);
}

function only(changes) {
  const problems = problemsAfter(changes);
  assert.equal(problems.length, 1, JSON.stringify(problems));
  return problems[0];
}

test('all is well', () => {
  assert.deepEqual(problemsAfter({}), []);
  assert.equal(headline([]), 'All is well');
});

test('a service that is down is named, with the reason and what it means', () => {
  const {level, title, detail} = only(
      {channel_server: {service: {up: false, ready: false, reason: 'nothing listens there'}}});
  assert.equal(level, 'bad');
  assert.equal(title, 'The channel server at 127.0.0.1:9206 is down');
  assert.match(detail, /^Nothing listens there\. Members get no messages/);
});

test('a service that is not ready says why', () => {
  const {title, detail} = only(
      {websocket_service: {service: {ready: false, reason: 'The channel is away.'}}});
  assert.equal(title, 'The WebSocket service at 127.0.0.1:9234 is not ready');
  assert.equal(detail, 'The channel is away.');
});

test('a service that was never seen has its address alone', () => {
  const history = new History();
  history.add({at: 1, services: [{address: '10.0.0.1:1', up: false, ready: false, reason: 'it did not answer within 1s'}]});
  const [{title, detail}] = problemsOf(history);
  assert.equal(title, 'The service at 10.0.0.1:1 is down');
  assert.equal(detail, 'It did not answer within 1s.');
});

test('without services there is a hint', () => {
  const history = new History();
  history.add({at: 1, services: []});
  assert.match(problemsOf(history)[0].detail, /--dashboard_services/);
});

test('a worker that was replaced is told for a minute', () => {
  const restarts = [[{worker: '1'}, 0], [{worker: '2'}, 4]];
  assert.equal(only({websocket_service: {groupcast_worker_restarts_total: restarts}}).title,
      'Worker 2 of the WebSocket service has ended and was replaced');
  const both = [[{worker: '1'}, 1], [{worker: '2'}, 4]];
  assert.equal(only({websocket_service: {groupcast_worker_restarts_total: both}}).title,
      '2 workers of the WebSocket service have ended and were replaced');
});

test('workers that do not serve, or have no channel', () => {
  assert.equal(only({websocket_service: {groupcast_workers: [[{state: 'ready'}, 1], [{state: 'starting'}, 1]]}}).title,
      '1 worker of the WebSocket service is starting');
  const connected = [[{worker: '1'}, 0], [{worker: '2'}, 0]];
  const {level, title} = only({websocket_service: {groupcast_channel_connected: connected}});
  assert.equal(level, 'bad');
  assert.equal(title, '2 workers of the WebSocket service have no channel');
});

test('losses are bad', () => {
  assert.deepEqual(only({websocket_service: {groupcast_gaps_total: [[{worker: '1'}, 6]]}}).title, 'Messages were lost: 1 gap');
  const writes = only({channel_server: {groupcast_channel_log_failed_writes_total: 2}});
  assert.equal(writes.level, 'bad');
  assert.match(writes.detail, /^2 writes failed/);
  assert.equal(only({websocket_service: {groupcast_errors_total: [[{worker: '1', code: 'internal'}, 3]]}}).level, 'bad');
});

test('errors of clients are no problem of the services', () => {
  assert.deepEqual(problemsAfter({websocket_service: {groupcast_errors_total: [[{worker: '1', code: 'forbidden'}, 30]]}}), []);
  assert.equal(only({websocket_service: {groupcast_errors_total: [[{worker: '1', code: 'unavailable'}, 3]]}}).title,
      '3 requests failed with unavailable');
});

test('strain is told before it hurts', () => {
  assert.equal(only({channel_server: {groupcast_channel_lagging_workers: 1}}).title,
      '1 worker cannot keep up with the channel server');
  assert.equal(only({websocket_service: {groupcast_window_bytes: [[{worker: '1'}, 900]]}}).title,
      'The window of a worker of the WebSocket service is 90 % full');
  assert.equal(only({websocket_service: {groupcast_slow_consumer_closes_total: [[{worker: '1'}, 3]]}}).title,
      '2 slow clients were disconnected');
  assert.equal(only({websocket_service: {groupcast_log_lines_dropped_total: [[{worker: '1'}, 5]]}}).title,
      '1 log line could not be written');
  const slow = [[{le: '0.01'}, 10], [{le: '5'}, 20], [{le: '+Inf'}, 20]];
  assert.match(only({websocket_service: {groupcast_delivery_latency_seconds_bucket: slow}}).title, /^Messages are slow: 4\.\d+ s$/);
});

test('a limit that bites has its meaning and its flag', () => {
  const hits = [[{worker: '1', limit: 'message'}, 12]];
  const {level, title, detail} = only({websocket_service: {groupcast_limit_hits_total: hits}});
  assert.equal(level, 'warn');
  assert.equal(title, 'The limit "message" bites');
  assert.equal(detail, `3 times in the last 60 s. ${LIMITS.message[0]} See --max_message_bytes.`);
});

test('the worst problem is the headline', () => {
  const problems = problemsAfter({
    channel_server: {groupcast_channel_lagging_workers: 2},
    websocket_service: {
      groupcast_worker_restarts_total: [[{worker: '2'}, 4]], groupcast_gaps_total: [[{worker: '1'}, 7]],
    },
  });
  assert.deepEqual(problems.map(({level}) => level), ['bad', 'warn', 'warn']);
  assert.equal(headline(problems), 'Messages were lost: 2 gaps, and 2 more problems');
});

test('limits and errors are counted by kind of service, the recent ones first', () => {
  const history = new History();
  history.add(answer(1000));
  history.add(answer(2000, {websocket_service: {
    groupcast_limit_hits_total: [[{worker: '1', limit: 'message'}, 9], [{worker: '2', limit: 'groups'}, 2]],
  }}));
  assert.deepEqual(limitsOf(history), [
    {limit: 'groups', kind: 'websocket_service', recent: 2, total: 2},
    {limit: 'message', kind: 'websocket_service', recent: 0, total: 9},
  ]);
  assert.deepEqual(errorsOf(history), [{code: 'internal', kind: 'websocket_service', recent: 0, total: 2}]);
});
