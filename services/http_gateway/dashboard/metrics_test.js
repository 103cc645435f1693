import assert from 'node:assert/strict';
import test from 'node:test';
import {History, quantilesOf} from './metrics.js';

const ADDRESS = '127.0.0.1:9234';
const INFO = [{labels: {service: 'websocket_service', version: '1.2.3'}, value: 1}];

// An answer with one service. `metrics`: name -> value, or [[labels, value], …].
function answer(at, metrics, {address = ADDRESS, ...rest} = {}) {
  const samples = {groupcast_build_info: INFO};
  for (const [name, value] of Object.entries(metrics || {})) {
    samples[name] = Array.isArray(value) ? value.map(([labels, number]) => ({labels, value: number})) : [{labels: {}, value}];
  }
  const service = {address, up: true, ready: true, metrics: samples, ...rest};
  if (metrics === null) delete service.metrics;
  return {at, services: [service]};
}

function historyOf(...answers) {
  const history = new History();
  for (const one of answers) assert.ok(history.add(one));
  return history;
}

test('rates are the growth over the time between answers', () => {
  const history = historyOf(answer(1000, {groupcast_publications_total: 100}));
  assert.equal(history.rate('groupcast_publications_total'), null);
  history.add(answer(3000, {groupcast_publications_total: 150}));
  assert.equal(history.rate('groupcast_publications_total'), 25);
  history.add(answer(4000, {groupcast_publications_total: 150}));
  assert.equal(history.rate('groupcast_publications_total'), 0);
  assert.ok(Math.abs(history.rate('groupcast_publications_total', {seconds: 3}) - 50 / 3) < 1e-9);
});

test('the same answer counts once', () => {
  const history = historyOf(answer(1000, {groupcast_publications_total: 100}), answer(2000, {groupcast_publications_total: 110}));
  assert.equal(history.add(answer(2000, {groupcast_publications_total: 110})), false);
  assert.equal(history.rate('groupcast_publications_total'), 10);
});

test('what a service had counted before the page came is no growth', () => {
  const history = historyOf(answer(1000, {groupcast_gaps_total: 7}), answer(2000, {groupcast_gaps_total: 7}));
  assert.equal(history.inLast('groupcast_gaps_total'), 0);
});

test('a sample that appears later is growth', () => {
  const errors = (code, value) => [[{code}, value]];
  const history = historyOf(answer(1000, {}), answer(2000, {groupcast_errors_total: errors('internal', 3)}));
  assert.equal(history.inLast('groupcast_errors_total', {labels: {code: 'internal'}}), 3);
  assert.equal(history.inLast('groupcast_errors_total', {labels: {code: 'forbidden'}}), 0);
});

test('a counter that has fallen belongs to a service that has begun again', () => {
  const history = historyOf(answer(1000, {groupcast_gaps_total: 100}), answer(2000, {groupcast_gaps_total: 4}));
  assert.equal(history.inLast('groupcast_gaps_total'), 4);
});

test('a service that was not reached for a while goes on from where it was', () => {
  const history = historyOf(
      answer(1000, {groupcast_gaps_total: 100}),
      answer(2000, null, {up: false, ready: false, reason: 'nothing listens there'}));
  assert.equal(history.services[0].kind, 'websocket_service', 'it is remembered');
  assert.equal(history.sum('groupcast_gaps_total'), null);
  history.add(answer(3000, {groupcast_gaps_total: 105}));
  assert.equal(history.inLast('groupcast_gaps_total'), 5);
});

test('what is older than a minute is forgotten', () => {
  const history = historyOf(answer(1000, {groupcast_gaps_total: 1}), answer(2000, {groupcast_gaps_total: 2}));
  assert.equal(history.inLast('groupcast_gaps_total'), 1);
  history.add(answer(61000, {groupcast_gaps_total: 2}));
  assert.equal(history.inLast('groupcast_gaps_total'), 1);
  history.add(answer(62000, {groupcast_gaps_total: 2}));
  assert.equal(history.inLast('groupcast_gaps_total'), 0);
});

test('sums and growth of one service are its own', () => {
  const both = (at, first, second) => ({at, services: [
    ...answer(at, {groupcast_gaps_total: first}).services,
    ...answer(at, {groupcast_gaps_total: second}, {address: '10.0.0.2:9234'}).services,
  ]});
  const history = historyOf(both(1000, 1, 10), both(2000, 2, 15));
  assert.equal(history.sum('groupcast_gaps_total'), 17);
  assert.equal(history.inLast('groupcast_gaps_total'), 6);
  assert.equal(history.inLast('groupcast_gaps_total', {address: '10.0.0.2:9234'}), 5);
  assert.equal(history.inLast('groupcast_gaps_total', {kind: 'channel_server'}), 0);
});

test('workers are in the order of their numbers', () => {
  const restarts = ['10', '2', '1'].map((worker) => [{worker}, 0]);
  const history = historyOf(answer(1000, {groupcast_worker_restarts_total: restarts}));
  assert.deepEqual(history.services[0].workers, ['1', '2', '10']);
  assert.equal(history.services[0].version, '1.2.3');
});

test('quantiles are those of the last seconds, over all workers', () => {
  const latency = (first, second) => ({groupcast_x_bucket: [
    [{worker: '1', le: '0.1'}, first], [{worker: '1', le: '+Inf'}, first],
    [{worker: '2', le: '0.1'}, 0], [{worker: '2', le: '0.2'}, second], [{worker: '2', le: '+Inf'}, second],
  ]});
  const history = historyOf(answer(1000, latency(1000, 0)), answer(2000, latency(1000, 0)));
  assert.equal(history.quantiles('groupcast_x', [0.5]), null, 'nothing was observed');
  history.add(answer(3000, latency(1010, 10)));
  const [half, most] = history.quantiles('groupcast_x', [0.25, 1]);
  assert.ok(half > 0 && half <= 0.1, `${half}`);
  assert.ok(most > 0.1 && most <= 0.2, `${most}`);
});

test('quantiles are linear within a bucket, as in Prometheus', () => {
  const buckets = [[1, 10], [2, 30], [4, 40], [Infinity, 50]];
  assert.deepEqual(quantilesOf(buckets, [0.2, 0.4, 0.6, 0.7, 0.99]), [1, 1.5, 2, 3, 4]);
  assert.equal(quantilesOf([[1, 0], [Infinity, 0]], [0.5]), null);
  assert.equal(quantilesOf([], [0.5]), null);
});

test('a service that has not answered yet is known by its default port', () => {
  const down = (address) => ({address, up: false, ready: false, reason: 'nothing listens there'});
  const history = new History();
  history.add({at: 1, services: [down('10.0.0.1:9206'), down('[::1]:9234'), down('10.0.0.1:9999')]});
  assert.deepEqual(history.services.map(({kind}) => kind), ['channel_server', 'websocket_service', '']);
});
