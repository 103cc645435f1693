// What the limits and errors of the services mean, for a person who has not read the documents.

/** The label `limit` of groupcast_limit_hits_total -> [what happened, the flag that sets the limit ('' if none does)]. */
export const LIMITS = {
  worker: ['A worker had as many connections as it may have. Further ones were refused with 503.', '--max_connections_per_worker'],
  address: ['One address had as many connections as it may have. Further ones were refused with 429.', '--max_connections_per_address'],
  accepts: ['New connections came faster than allowed. They waited to be accepted.', '--accepts_per_second'],
  handshake: ['Connections took too long for their handshake and were dropped.', '--handshake_timeout'],
  head: ['Requests had a header over 8 KiB and were refused with 431.', ''],
  frame: ['Clients sent frames over the size limit. Their connections were closed with 1009.', '--max_frame_bytes'],
  inflated: ['Compressed messages had a text over the size limit. Their connections were closed with 1009.', '--max_frame_bytes'],
  unfinished: ['Unfinished messages took too much memory. The connections that made no progress were closed.', '--unfinished_bytes'],
  held: ['Commands that wait for the channel took too much memory. Connections waited to be read.', '--held_bytes'],
  input: ['Connections sent more bytes per second than allowed. The rest waited in the kernel.', '--input_bytes_per_second'],
  user: ['One user had as many connections as allowed. Further ones were closed with 4503.', '--max_connections_per_user'],
  user_groups: ['One user wanted more groups than allowed. The joins were refused.', '--max_groups_per_user'],
  user_commands: ['One user sent commands faster than allowed. The rest were refused.', '--user_commands_per_second'],
  access: ['Commands, requests or connections lacked a token, a key or a right, and were refused.', 'group_rules'],
  outboxes: ['All outboxes of a worker together were full. The slowest consumers were closed with 4001.', '--outbox_total_bytes'],
  outbox: ['Connections read too slowly, and their outbox was full. They were closed with 4001.', '--outbox_bytes'],
  pong: ['Connections answered no ping and were closed with 4002.', '--pong_timeout'],
  groups: ['Clients wanted more groups on one connection than allowed. The joins were refused.', '--max_groups_per_connection'],
  message: ['Messages were over the size limit and were refused.', '--max_message_bytes'],
  depth: ['JSON had more than 64 levels of brackets and was refused.', ''],
  sends: ['Messages came faster than their group allows. The rest were refused.', 'group_rules'],
  rate: ['One connection sent commands faster than allowed. The rest were refused.', '--commands_per_second'],
  commands: ['One connection sent commands faster than allowed. The rest were refused.', '--commands_per_second'],
  limited: ['One connection sent commands faster than allowed. The rest were refused.', '--commands_per_second'],
  questions: ['Lists of groups, or ends of connections, were asked for faster than all workers answer. The rest were refused.', ''],
  request: ['Requests did not come whole in time, or their answers were not taken.', '--request_timeout'],
  slow: ['Connections read too slowly, and their outbox was full. They were closed with 4001.', '--outbox_bytes'],
};

// Flags whose names differ at the gateway.
const GATEWAY_FLAGS = {groups: '--max_groups_per_stream', rate: '--requests_per_second', commands: '--requests_per_second'};

/** The flag for a limit of a service of this kind. */
export function flagOf(limit, kind) {
  return (kind === 'http_gateway' && GATEWAY_FLAGS[limit]) || (LIMITS[limit] ? LIMITS[limit][1] : '');
}

export function meaningOfLimit(limit) {
  return LIMITS[limit] ? LIMITS[limit][0] : 'docs/flags.md describes this limit.';
}

/** The label `code` of groupcast_errors_total -> what it means. */
export const ERRORS = {
  bad_json: 'A client sent a command that is no valid JSON object.',
  bad_request: 'A request was malformed.',
  not_found: 'A request named a path, a connection or a member that does not exist.',
  method_not_allowed: 'A request had a method that its path does not have.',
  unsupported_media_type: 'A request had a body of another type.',
  request_timeout: 'A request did not come whole in time.',
  unknown_command: 'A client sent a command that does not exist.',
  group_id_invalid: 'A client named a group by a text that is no group id.',
  message_missing: 'A client sent a command without a message.',
  message_too_large: 'A message was over the size limit.',
  too_many_groups: 'A client wanted more groups than allowed.',
  too_many_members: 'A client wanted presence of a group with too many members.',
  too_many_connections: 'A user had as many connections as allowed.',
  rate_limited: 'A client sent faster than allowed.',
  unauthorized: 'A client showed no valid token or key.',
  token_expired: 'A client showed a token that has expired.',
  forbidden: 'A client lacked the right for what it wanted.',
  unavailable: 'The channel was away or had no room. Nothing was done; the client may try again.',
  outcome_unknown: 'The channel gave no answer. The message may or may not have its place.',
  internal: 'A defect of the service. Please report it, with the log of that time.',
};

export function meaningOfError(code) {
  return ERRORS[code] || 'docs/protocol.md describes this error.';
}

/** Errors that are the service's, not the client's. */
export const SERVICE_ERRORS = ['unavailable', 'outcome_unknown', 'internal'];
