/**
 * An error of the server, with the `code` that docs/protocol.md lists, or one of this client's own:
 *
 * | code              | retry | means                                                                            |
 * |-------------------|-------|----------------------------------------------------------------------------------|
 * | `queue_full`      | yes   | the sends without an answer are over `sendQueueBytesMax`, or 128 reads wait      |
 * | `outcome_unknown` | no    | a send may or may not count; to send it again may double it                      |
 * | `left`            | no    | leave() was called before the join was answered                                  |
 * | `closed`          | no    | close() was called                                                               |
 * | `refused`         | no    | the server refused this client for good                                          |
 * | `no_token`        | yes   | the token callback failed                                                        |
 * | `no_websocket`    | no    | this environment has no WebSocket, and the options have none                     |
 * | `no_crypto`       | no    | this environment has no cryptographic random numbers                             |
 *
 * `retry` says whether the same call is safe later and may succeed.
 */
export class GroupcastError extends Error {
  constructor(code, message, retry, groupId) {
    super(message);
    this.name = 'GroupcastError';
    this.code = code;
    this.retry = retry;
    if (groupId !== undefined) this.groupId = groupId;
  }
}

// The error that the server's event tells.
export function toError({code, message, retry}) {
  return new GroupcastError(code, message, retry === true);
}
