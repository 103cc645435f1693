// Types of groupcast.js, and its promises.
// From a script tag the module is the global `groupcast`.
//
// What a member gets: every message of the group after its join, once, in one order that is the same for all
// members. A lost connection loses nothing: after the reconnect the member gets the messages that it missed
// (onRecovered). If the server no longer has a message, onGap reports the loss. No loss is silent.
//
// The result of a send: the message counts once, however often the client transmitted it, or not at all. The promise
// says which. If the client cannot find this out within 75 s, the promise rejects with `outcome_unknown`.

export as namespace groupcast;

/** Any value that JSON can carry. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/**
 * A message's place in its group. Offsets of different epochs cannot be compared.
 * To continue in a later run of the application, store a position and join with it as `since`.
 */
export interface Position {
  epoch: string;
  /** Grows along the group, not necessarily by 1. Below 2^53. */
  offset: number;
}

export interface MessageInfo extends Position {
  groupId: string;
  /** Milliseconds since 1970 (UTC), by the clock of the worker that accepted the send. */
  sentAt: number;
}

/** Messages with an offset in (from, to] are lost to this member. The next message comes after them. */
export interface Gap {
  groupId: string;
  /** The epoch after the gap. */
  epoch: string;
  /**
   * The member's offset before the gap. null if the gap has no known beginning, because the group has another history
   * now. Then a message may come again that came before the gap, if the server had not acknowledged it.
   */
  from: number | null;
  /** The member's offset after the gap. */
  to: number;
}

/** The membership continues after a reconnect. Every message after this position follows. */
export interface Recovered extends Position {
  groupId: string;
}

/** The position at which delivery begins. */
export interface Joined extends Position {
  /** false: messages after `since` are lost, and onGap gets the loss. true also without `since`. */
  recovered: boolean;
}

export interface HistoryMessage extends MessageInfo {
  message: any;
}

/** `epoch` and `offset` are the position of the newest message of the group. */
export interface History extends Position {
  groupId: string;
  /** Whether `messages` has every message after `since`. Without `since`: false. */
  recovered: boolean;
  /** Oldest first, without the messages that this session sent with `excludeSelf`. */
  messages: HistoryMessage[];
}

export type State = 'connecting' | 'open' | 'waiting' | 'closed';

export type StateEvent =
  | { state: 'connecting' }
  | { state: 'open' }
  | { state: 'waiting'; retryInMs: number; closeCode: number; reason: string }
  | { state: 'closed'; closeCode?: number; reason?: string };

/** The server's codes (docs/protocol.md), and this client's own. A newer server may have more. */
export type ErrorCode =
  | 'bad_json'
  | 'unknown_command'
  | 'group_id_invalid'
  | 'message_missing'
  | 'message_too_large'
  | 'too_many_groups'
  | 'too_many_members'
  | 'too_many_connections'
  | 'rate_limited'
  | 'unavailable'
  | 'outcome_unknown'
  | 'internal'
  | 'queue_full'
  | 'left'
  | 'closed'
  | 'no_websocket';

export class GroupcastError extends Error {
  constructor(code: ErrorCode | string, message: string, retry: boolean, groupId?: string);
  readonly name: 'GroupcastError';
  readonly code: ErrorCode | (string & {});
  /** Whether the same call is safe later and may succeed. false for `outcome_unknown`: it may double a send. */
  readonly retry: boolean;
  readonly groupId?: string;
}

/** The part of a WebSocket that the client uses. A browser's, Node's and npm ws's have it. */
export interface WebSocketLike {
  readonly readyState: number;
  readonly bufferedAmount: number;
  onmessage: ((event: any) => void) | null;
  onclose: ((event: any) => void) | null;
  onerror: ((event: any) => void) | null;
  send(text: string): void;
  close(): void;
}

export interface Timers {
  setTimeout(callback: () => void, ms: number): unknown;
  clearTimeout(timer: any): void;
  /** Milliseconds. */
  now(): number;
}

export interface Options {
  /** Default: the global WebSocket. Node before 22 has none. */
  WebSocket?: new (url: string, protocols: string[]) => WebSocketLike;
  /**
   * 1 to 64 characters of A-Z, a-z, 0-9, _ and -. `excludeSelf` leaves out all clients with the same session.
   * Default: random. Give the same value again to keep the session when the application starts again.
   */
  session?: string;
  /** The bound of the sends without an answer, in bytes. Over it: `queue_full`. Default: 1 MiB. */
  sendQueueBytesMax?: number;
  /** The first reconnect begins within this time. Default: 100. */
  backoffBaseMs?: number;
  /** No reconnect waits longer. Default: 10000. */
  backoffCapMs?: number;
  /** Returns at least 0, below 1. Default: Math.random. */
  random?: () => number;
  timers?: Timers;
}

/** At most one of `since` and `history`. They count for the call that begins a membership. */
export interface JoinOptions {
  /** Called when messages are lost. Without it the member continues without them and gets no notice. */
  onGap?: ((gap: Gap) => void) | null;
  /** Called when a reconnect lost nothing: the missed messages follow. */
  onRecovered?: ((position: Recovered) => void) | null;
  /** Get every message after this position of an earlier run. If some are lost, onGap gets the loss. */
  since?: Position | null;
  /** Get up to this number of the newest messages first. The server has at most 100. */
  history?: number | null;
}

export interface SendOptions {
  /** Members of this session, including this client, do not get the message. */
  excludeSelf?: boolean;
}

export interface HistoryOptions {
  /** Only messages after this position. */
  since?: Position | null;
  /** At most this number, the newest. Default: all that the server has, at most 100. */
  limit?: number;
}

export class Client {
  /** Begins to connect. Throws `no_websocket`, TypeError for the session, or the WebSocket constructor's error. */
  constructor(url: string, options?: Options);

  readonly state: State;
  readonly url: string;
  /** The same over all reconnects. */
  readonly session: string;

  /** Returns a function that removes the listener. */
  on(event: 'state', listener: (event: StateEvent) => void): () => void;
  on(event: 'error', listener: (error: GroupcastError) => void): () => void;

  /**
   * Makes this client a member, over reconnects, until leave() or close(). `onMessage` gets each message once, in the
   * group's order. Resolves with the position at which delivery begins. Waits while there is no connection.
   */
  join<Message = any>(
    groupId: string | number,
    onMessage: (message: Message, info: MessageInfo) => void,
    options?: JoinOptions
  ): Promise<Joined>;

  /** From now on the client does not call the group's callbacks, also during a recovery. */
  leave(groupId: string | number): Promise<void>;

  /**
   * Resolves with the message's place in the group's order: it counts, and members get it. Rejects
   * - with `outcome_unknown` if the message may or may not count: the client had no certain answer for 75 s, or it was
   *   closed. To send it again may double it;
   * - with any other error if it does not count: `unavailable` (for 75 s), `queue_full`, `closed`, or the server's
   *   refusal.
   * Until then the client repeats the send by itself. Before its first transmission a send waits for a connection
   * without a limit.
   */
  send(groupId: string | number, message: Json, options?: SendOptions): Promise<Position>;

  /** Reads a group's newest messages, without a membership. Waits while there is no connection. */
  history(groupId: string | number, options?: HistoryOptions): Promise<History>;

  /** Ends the client. Sends that may count reject with `outcome_unknown`, everything else that waits with `closed`. */
  close(): void;
}
