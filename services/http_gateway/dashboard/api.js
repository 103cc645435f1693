// The gateway's HTTP API (docs/http_api.md), as this page uses it. The page is at dashboard/, beside v1/.

const BASE = new URL('../', document.baseURI);
const KEY_PLACE = 'groupcast.key';
const TIMEOUT_MS = 5000;

/** A request that has failed. `status` is that of HTTP; 0: there was no answer. */
export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
  /** The gateway wants a key, or another one. */
  get needsKey() {
    return this.status === 401;
  }
}

/** The API key is kept for this tab, until it is closed. */
export const key = {
  get: () => sessionStorage.getItem(KEY_PLACE) || '',
  set: (text) => (text === '' ? sessionStorage.removeItem(KEY_PLACE) : sessionStorage.setItem(KEY_PLACE, text)),
};

async function request(path, options = {}) {
  const headers = {...options.headers};
  if (key.get() !== '') headers.Authorization = `Bearer ${key.get()}`;
  let answer;
  try {
    answer = await fetch(new URL(path, BASE), {...options, headers, cache: 'no-store'});
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError(0, 'unreachable', 'The gateway does not answer.');
  }
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  throw new ApiError(answer.status, problem.code || '', problem.detail || `The gateway answered with ${answer.status}.`);
}

async function json(path, options) {
  try {
    const answer = await request(path, {...options, signal: AbortSignal.timeout(TIMEOUT_MS)});
    return await answer.json();
  } catch (error) {
    throw error instanceof ApiError ? error : new ApiError(0, 'unreachable', 'The gateway does not answer.');
  }
}

const group = (id) => `v1/groups/${encodeURIComponent(id)}`;

export const services = () => json('v1/services');
export const busiestGroups = (limit) => json(`v1/groups?order=busiest&limit=${limit}`);
export const members = (id, limit) => json(`${group(id)}/members?limit=${limit}`);
export const messages = (id, limit) => json(`${group(id)}/messages?limit=${limit}`);

/** Publishes a text. Returns its position. */
export function publish(id, text) {
  return json(`${group(id)}/messages`, {
    method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(text),
  });
}

/**
 * Follows a group until `signal` aborts or the stream ends: `onEvent(name, data)` for each event. EventSource cannot
 * show a key, so this reads the stream itself. Returns how it has ended: {lastEventId, retryMs}.
 */
export async function follow(id, {signal, lastEventId = '', history = 0, onEvent}) {
  const headers = lastEventId === '' ? {} : {'Last-Event-ID': lastEventId};
  const answer = await request(`${group(id)}/events?presence=true&history=${history}`, {headers, signal});
  const end = {lastEventId, retryMs: 1000};
  let text = '';
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const {done, value} = await reader.read().catch((error) => {
      if (signal.aborted) throw error;
      return {done: true};  // the connection is broken: come back
    });
    if (done) return end;
    const blocks = (text + value).split('\n\n');
    text = blocks.pop();
    for (const block of blocks) readEvent(block, end, onEvent);
  }
}

function readEvent(block, end, onEvent) {
  const fields = {event: 'message'};
  for (const line of block.split('\n')) {
    const colon = line.indexOf(': ');
    if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 2);
  }
  if (fields.retry) end.retryMs = Number(fields.retry);
  if (fields.id) end.lastEventId = fields.id;
  if (fields.data) onEvent(fields.event, JSON.parse(fields.data));
}
