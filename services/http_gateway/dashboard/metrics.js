// The metrics of the services over time. No page, no network: what it is given is the answer of
// GET /v1/services (docs/http_api.md), once a second.

/** Seconds for which `inLast` knows what has happened. */
export const MEMORY_SECONDS = 60;

// The default admin ports, for a service that has not said yet what it is.
const KIND_OF_PORT = {9206: 'channel_server', 9234: 'websocket_service', 9280: 'http_gateway'};

const kindNames = {
  channel_server: 'channel server', websocket_service: 'WebSocket service', http_gateway: 'HTTP gateway',
};

/** One service as one answer shows it. */
export class Service {
  constructor({address, up, ready, reason = '', metrics = null}, kind) {
    this.address = address;
    this.up = up;
    this.ready = ready;
    this.reason = reason;
    this.metrics = metrics;
    this.kind = kind;  // the name of its program; '' if nothing tells
    this.name = kind === '' ? 'the service' : `the ${kindNames[kind] || kind}`;
  }

  /** The samples of a name whose labels have these values. */
  samples(name, labels = {}) {
    const all = (this.metrics && this.metrics[name]) || [];
    return all.filter((sample) => matches(sample.labels, labels));
  }

  /** The sum of these samples. null: there is none. */
  sum(name, labels = {}) {
    const samples = this.samples(name, labels);
    return samples.length === 0 ? null : samples.reduce((sum, {value}) => sum + (value ?? 0), 0);
  }

  get version() {
    const [info] = this.samples('groupcast_build_info');
    return info ? info.labels.version || '' : '';
  }

  /** The numbers of its workers, in order. */
  get workers() {
    const numbers = new Set(this.samples('groupcast_worker_restarts_total').map(({labels}) => labels.worker));
    numbers.delete(undefined);
    return [...numbers].sort((a, b) => a - b);
  }
}

/** All that the page knows of the services. */
export class History {
  constructor() {
    this.services = [];     // Service, of the newest answer
    this.at = null;         // its time in ms; null: there was none
    this.seconds = 0;       // between the newest two answers; 0: there were not two
    this.rounds = [];       // the counters' growth: {at, seconds, growth: Map(name -> [{service, labels, value}])}
    this.last = new Map();  // address -> {kind, counters: Map(key -> value)} of its last metrics
  }

  /** Takes an answer. False: it is the one that was taken before. */
  add({at, services}) {
    if (this.at !== null && at <= this.at) return false;
    this.seconds = this.at === null ? 0 : (at - this.at) / 1000;
    this.at = at;
    const round = {at, seconds: this.seconds, growth: new Map()};
    this.services = services.map((answer) => this.#take(answer, round));
    this.rounds.push(round);
    while (this.rounds[0].at <= at - MEMORY_SECONDS * 1000) this.rounds.shift();
    return true;
  }

  #take(answer, round) {
    const before = this.last.get(answer.address);
    const info = answer.metrics && answer.metrics.groupcast_build_info;
    const kind = info && info.length > 0 ? info[0].labels.service :
        before ? before.kind : KIND_OF_PORT[answer.address.split(':').pop()] || '';
    const service = new Service(answer, kind);
    if (!answer.metrics) return service;
    const counters = new Map();
    for (const [name, samples] of Object.entries(answer.metrics)) {
      if (!/(_total|_bucket|_sum|_count)$/.test(name)) continue;
      for (const {labels, value} of samples) {
        const key = name + JSON.stringify(labels);
        counters.set(key, value);
        if (!before) continue;  // nobody knows since when it has counted
        const known = before.counters.get(key) ?? 0;
        // A counter that has fallen belongs to a service that has begun again.
        const growth = value < known ? value : value - known;
        if (!(growth > 0)) continue;
        if (!round.growth.has(name)) round.growth.set(name, []);
        round.growth.get(name).push({service, labels, value: growth});
      }
    }
    this.last.set(answer.address, {kind, counters});
    return service;
  }

  /**
   * What these counters have grown by in the last seconds: [{service, labels, value}]. `kind` and `address` choose
   * services, and `labels` samples.
   */
  growth(name, {kind, address, labels = {}, seconds = MEMORY_SECONDS} = {}) {
    return this.#recent(seconds).flatMap((round) => round.growth.get(name) || []).filter((grown) =>
      (kind === undefined || grown.service.kind === kind) &&
      (address === undefined || grown.service.address === address) && matches(grown.labels, labels));
  }

  /** The sum of that. */
  inLast(name, options) {
    return this.growth(name, options).reduce((sum, {value}) => sum + value, 0);
  }

  /** The mean growth per second. null: there were not two answers. */
  rate(name, {seconds = 1, ...options} = {}) {
    const span = this.#recent(seconds).reduce((sum, round) => sum + round.seconds, 0);
    return span === 0 ? null : this.inLast(name, {seconds, ...options}) / span;
  }

  /** The sum over all services of a kind. null: none has the metric. */
  sum(name, {kind, labels} = {}) {
    const values = this.services.filter((service) => kind === undefined || service.kind === kind)
        .map((service) => service.sum(name, labels)).filter((value) => value !== null);
    return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0);
  }

  /** Quantiles of a histogram over the last seconds. null: nothing was observed. */
  quantiles(name, quantiles, {seconds = 10} = {}) {
    const buckets = new Map();
    for (const {labels, value} of this.growth(`${name}_bucket`, {seconds})) {
      const bound = labels.le === '+Inf' ? Infinity : Number(labels.le);
      buckets.set(bound, (buckets.get(bound) || 0) + value);
    }
    const bounds = this.#bounds(`${name}_bucket`);
    return quantilesOf(bounds.map((bound) => [bound, buckets.get(bound) || 0]), quantiles);
  }

  // All bounds of the buckets, also of those that have not grown.
  #bounds(name) {
    const bounds = new Set();
    for (const service of this.services) {
      for (const {labels} of service.samples(name)) bounds.add(labels.le === '+Inf' ? Infinity : Number(labels.le));
    }
    return [...bounds].sort((a, b) => a - b);
  }

  // The rounds that together cover the last seconds, at least the newest.
  #recent(seconds) {
    const from = this.at - seconds * 1000;
    const recent = this.rounds.filter((round) => round.at - round.seconds * 1000 >= from - 500);
    return recent.length > 0 ? recent : this.rounds.slice(-1);
  }
}

/**
 * Quantiles of cumulative buckets [[upper bound, count], …] in the order of their bounds, as Prometheus estimates
 * them: linear within a bucket. Above the last finite bound, that bound is the answer. null: there is no observation.
 */
export function quantilesOf(buckets, quantiles) {
  const total = buckets.length === 0 ? 0 : buckets[buckets.length - 1][1];
  if (!(total > 0)) return null;
  return quantiles.map((quantile) => {
    const rank = quantile * total;
    const index = buckets.findIndex(([, count]) => count >= rank);
    const [bound, count] = buckets[index];
    const [lower, below] = index === 0 ? [0, 0] : buckets[index - 1];
    if (bound === Infinity) return lower;
    return count === below ? bound : lower + (bound - lower) * (rank - below) / (count - below);
  });
}

function matches(labels, wanted) {
  return Object.entries(wanted).every(([name, value]) => labels[name] === value);
}
