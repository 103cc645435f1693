// The session of a client: the name that the server knows it by over all its connections.

import {GroupcastError} from './error.js';

/**
 * The session of a client for `url`, and the address to connect to.
 *
 * A session in the url is the client's session. `session`, if given, must be the same one then.
 */
export function adoptSession(url, session) {
  const [base] = url.split('#', 1);
  const [, query = ''] = base.split(/\?(.*)/s);
  const [inUrl, ...others] = new URLSearchParams(query).getAll('session');
  if (others.length > 0) throw new TypeError('the url has more than one session');
  if (inUrl !== undefined && session !== undefined && session !== inUrl) {
    throw new TypeError('the url has another session than the options');
  }
  const own = inUrl ?? (session === undefined ? randomHex(16) : session);
  if (typeof own !== 'string' || !/^[A-Za-z0-9_-]{1,64}$/.test(own)) {
    throw new TypeError('session must be 1 to 64 of A-Z, a-z, 0-9, _ and -');
  }
  if (inUrl !== undefined) return {session: own, address: base};
  return {session: own, address: base + (base.includes('?') ? '&' : '?') + 'session=' + own};
}

// `bytes` from a cryptographic generator, as hexadecimal digits. A session is a secret.
export function randomHex(bytes) {
  if (typeof crypto !== 'object') {
    throw new GroupcastError('no_crypto', 'no cryptographic random numbers here', false);
  }
  const values = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(values, (value) => value.toString(16).padStart(2, '0')).join('');
}
