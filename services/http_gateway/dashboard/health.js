// What is wrong, in words. No page, no network.

import {bytes, count, duration, percent, plural} from './format.js';
import {MEMORY_SECONDS} from './metrics.js';
import {meaningOfError, meaningOfLimit, flagOf, SERVICE_ERRORS} from './words.js';

const EFFECT_OF_LOSS = {
  channel_server: 'Members get no messages while it is away. Sends wait, and continue when it is back.',
  websocket_service: 'WebSocket clients are disconnected. They come back by themselves when it is back.',
  http_gateway: 'HTTP clients cannot publish, read or follow groups through it.',
};

const LATENCY_SECONDS_MAX = 1;
const WINDOW_SHARE_MAX = 0.8;

/**
 * The problems of now and of the last minute, the worst first: [{level, title, detail}]. `level` is "bad" if clients
 * suffer, and "warn" if somebody should look. Empty: all is well.
 */
export function problemsOf(history) {
  const problems = [];
  const add = (level, title, detail) => problems.push({level, title, detail});
  if (history.services.length === 0) {
    add('warn', 'No services are named', 'Name their admin ports with --dashboard_services of the gateway.');
  }
  for (const service of history.services) addStates(service, add);
  addWorkers(history, add);
  addLosses(history, add);
  addStrain(history, add);
  return problems.sort((a, b) => (a.level === b.level ? 0 : a.level === 'bad' ? -1 : 1));
}

/** One line for the top of the page. */
export function headline(problems) {
  if (problems.length === 0) return 'All is well';
  if (problems.length === 1) return problems[0].title;
  return `${problems[0].title}, and ${plural(problems.length - 1, 'more problem')}`;
}

function addStates(service, add) {
  const name = capital(service.name);
  if (!service.up) {
    add('bad', `${name} at ${service.address} is down`,
        `${capital(service.reason || 'it does not answer')}. ${EFFECT_OF_LOSS[service.kind] || ''}`.trim());
  } else if (!service.ready) {
    add('bad', `${name} at ${service.address} is not ready`, sentence(service.reason));
  } else if (!service.metrics) {
    add('warn', `${name} at ${service.address} has no metrics`, sentence(service.reason));
  }
}

function addWorkers(history, add) {
  for (const service of history.services) {
    const name = service.name;
    for (const {labels, value} of service.samples('groupcast_workers')) {
      if (labels.state === 'ready' || !(value > 0)) continue;
      add('warn', `${plural(value, 'worker')} of ${name} ${value === 1 ? 'is' : 'are'} ${labels.state || 'not ready'}`,
          `At ${service.address}. The other workers go on serving.`);
    }
    const away = service.samples('groupcast_channel_connected').filter(({value}) => value === 0);
    if (away.length > 0) {
      add('bad', `${plural(away.length, 'worker')} of ${name} ${away.length === 1 ? 'has' : 'have'} no channel`,
          'Their clients get no messages until they reach the channel server again.');
    }
    const restarts = history.growth('groupcast_worker_restarts_total', {address: service.address});
    const restarted = restarts.reduce((sum, {value}) => sum + value, 0);
    if (restarted > 0) {
      const numbers = [...new Set(restarts.map(({labels}) => labels.worker).filter(Boolean))].sort((a, b) => a - b);
      add('warn', numbers.length === 1 && restarted === 1 ?
          `Worker ${numbers[0]} of ${name} has ended and was replaced` :
          `${count(restarted)} workers of ${name} have ended and were replaced`,
      'Within the last minute. The log of the service says why. Clients reconnect and get what they missed.');
    }
  }
}

function addLosses(history, add) {
  const gaps = history.inLast('groupcast_gaps_total');
  if (gaps > 0) {
    add('bad', `Messages were lost: ${plural(gaps, 'gap')}`,
        'In the last minute, members missed messages that nobody has any more. They were told.');
  }
  const writes = history.inLast('groupcast_channel_log_failed_writes_total');
  if (writes > 0) {
    add('bad', 'The channel server cannot write its log',
        `${plural(writes, 'write')} failed in the last minute. Is the disk full? Sends are refused meanwhile.`);
  }
  for (const code of SERVICE_ERRORS) {
    const errors = history.inLast('groupcast_errors_total', {labels: {code}});
    if (errors > 0) {
      add(code === 'internal' ? 'bad' : 'warn', `${plural(errors, 'request')} failed with ${code}`,
          `In the last minute. ${meaningOfError(code)}`);
    }
  }
  const dropped = history.inLast('groupcast_log_lines_dropped_total');
  if (dropped > 0) {
    add('warn', `${plural(dropped, 'log line')} could not be written`, 'The reader of the log is slow, or the disk is full.');
  }
}

function addStrain(history, add) {
  const lagging = history.sum('groupcast_channel_lagging_workers');
  if (lagging > 0) {
    add('warn', `${plural(lagging, 'worker')} cannot keep up with the channel server`,
        'Their clients get messages late. They fetch what they have missed.');
  }
  const [p99] = history.quantiles('groupcast_delivery_latency_seconds', [0.99]) || [0];
  if (p99 > LATENCY_SECONDS_MAX) {
    add('warn', `Messages are slow: ${duration(p99)}`, 'One of a hundred messages takes longer than this to its members.');
  }
  for (const service of history.services) {
    for (const {labels, value} of service.samples('groupcast_window_bytes')) {
      const [limit] = service.samples('groupcast_window_limit_bytes', labels);
      if (!limit || !(value > limit.value * WINDOW_SHARE_MAX)) continue;
      add('warn', `The window of a worker of ${service.name} is ${percent(value / limit.value)} full`,
          `${bytes(value)} of publications wait for the channel server. Senders are slowed down at 100 %.`);
    }
  }
  const slow = history.inLast('groupcast_slow_consumer_closes_total');
  if (slow > 0) {
    add('warn', `${plural(slow, 'slow client')} ${slow === 1 ? 'was' : 'were'} disconnected`,
        'In the last minute. They read too slowly, and get what they missed when they come back.');
  }
  for (const {limit, kind, recent} of limitsOf(history)) {
    if (recent === 0) continue;
    const flag = flagOf(limit, kind);
    add('warn', `The limit "${limit}" bites`, `${plural(recent, 'time')} in the last ${MEMORY_SECONDS} s. ` +
        meaningOfLimit(limit) + (flag ? ` See ${flag}.` : ''));
  }
}

/** The limits that were met, those of the last minute first: [{limit, kind, recent, total}]. */
export function limitsOf(history) {
  return countsOf(history, 'groupcast_limit_hits_total', 'limit').map(({word, ...counts}) => ({limit: word, ...counts}));
}

/** The errors that clients got, in the same way: [{code, kind, recent, total}]. */
export function errorsOf(history) {
  return countsOf(history, 'groupcast_errors_total', 'code').map(({word, ...counts}) => ({code: word, ...counts}));
}

function countsOf(history, name, label) {
  const found = new Map();
  const entry = (kind, word) => {
    const key = `${kind} ${word}`;
    if (!found.has(key)) found.set(key, {word, kind, recent: 0, total: 0});
    return found.get(key);
  };
  for (const service of history.services) {
    for (const {labels, value} of service.samples(name)) {
      if (value > 0) entry(service.kind, labels[label]).total += value;
    }
  }
  for (const {service, labels, value} of history.growth(name)) entry(service.kind, labels[label]).recent += value;
  return [...found.values()].sort((a, b) => b.recent - a.recent || b.total - a.total);
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function sentence(text) {
  return text === '' ? '' : capital(text).replace(/\.?$/, '.');
}
