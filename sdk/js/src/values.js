// What the application gives: group ids, messages and positions. They are checked before they are written.

import {GroupcastError} from './error.js';

// The server accepts brackets nested 64 deep. The command around a message is the first level.
const MESSAGE_DEPTH_MAX = 63;

// The server's own rule: an integer stands for its decimal text.
export function toGroupId(groupId) {
  if (Number.isSafeInteger(groupId)) return String(groupId);
  if (typeof groupId !== 'string') {
    throw new GroupcastError('group_id_invalid', 'group id must be a string or an integer', false);
  }
  checkJson(JSON.stringify(groupId), groupId);
  return groupId;
}

export function toMessageJson(message, groupId) {
  let json;
  try {
    json = JSON.stringify(message);
  } catch (error) {
    throw new GroupcastError('bad_json', 'message has no JSON: ' + error.message, false, groupId);
  }
  if (json === undefined) {
    throw new GroupcastError('message_missing', 'message has no JSON value', false, groupId);
  }
  checkJson(json, groupId);
  return json;
}

// Finds defects that make a whole command unreadable. The server could not name the command in its error, so the
// promise would never settle.
function checkJson(json, groupId) {
  const fail = (why) => {
    throw new GroupcastError('bad_json', why, false, groupId);
  };
  // JSON.stringify escapes only lone surrogates.
  if (/(^|[^\\])(\\\\)*\\ud[89a-f]/.test(json)) fail('text has a lone surrogate');
  let depth = 0;
  const withoutStrings = json.replace(/"[^"\\]*(\\.[^"\\]*)*"/g, '');
  for (const [bracket] of withoutStrings.matchAll(/[[{\]}]/g)) {
    depth += bracket === '[' || bracket === '{' ? 1 : -1;
    if (depth > MESSAGE_DEPTH_MAX) fail('message is nested too deeply');
  }
}

export function utf8Length(text) {
  return new TextEncoder().encode(text).length;
}

// Returns a copy, because the caller may change its own object later.
export function toPosition(since) {
  if (since === null || since === undefined) return null;
  if (!/^[0-9a-f]{16}$/.test(since.epoch) || !Number.isSafeInteger(since.offset) || since.offset < 0) {
    throw new TypeError('since must be a position: {epoch, offset}');
  }
  return {epoch: since.epoch, offset: since.offset};
}

export function positiveOr(value, fallback) {
  return typeof value === 'number' && value > 0 && Number.isFinite(value) ? value : fallback;
}
