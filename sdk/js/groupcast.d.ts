// Types of groupcast.js, and what it promises.
// From a script tag the module is the global `groupcast`.
//
// What a member gets: every message of the group after its join, once, in one order that is the same for all
// members. While the connection is away nothing is lost: after the reconnect the member gets what it missed
// (onRecovered). What the server has no more is told (onGap), never passed over in silence.
//
// What becomes of a send: it counts once, however often the client had to transmit it, or not at all; and its promise
// says which. Only if that cannot be found out within 75 s does it reject with `outcome_unknown`.

export as namespace groupcast;

/** Any value that JSON can carry. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/**
 * A message's place in its group. Offsets of different epochs cannot be compared.
 * To go on from a position in a later run of the application, store it and join with it as `since`.
 */
export interface Position {
  epoch: string;
  /** Grows along the group, not necessarily by 1. Below 2^53. */
  offset: number;
}

export interface MessageInfo extends Position {
  groupId: string;
  /** Milliseconds since 1970 (UTC), by the clock of the worker that took the send. */
  sentAt: number;
}

/** Messages with an offset in (from, to] are lost to this member. The next message comes after them. */
export interface Gap {
  groupId: string;
  /** The epoch after the gap. */
  epoch: string;
  /**
   * The member's offset before the gap. null if it cannot be said where the gap begins, because the group's history
   * is another one now: then a message may also come that had come before, if it was not acknowledged yet.
   */
  from: number | null;
  /** The member's offset after the gap. */
  to: number;
}

/** A member again after a reconnect; everything after this position follows. */
export interface Recovered extends Position {
  groupId: string;
}

/** Where delivery begins. */
export interface Joined extends Position {
  /** false: something after `since` is lost; onGap was told what. true also without `since`. */
  recovered: boolean;
}

export interface HistoryMessage extends MessageInfo {
  message: any;
}

/** `epoch` and `offset` are the position of the newest message there is. */
export interface History extends Position {
  groupId: string;
  /** Whether `messages` has everything after `since`. Without `since`: false. */
  recovered: boolean;
  /** Oldest first. What this session sent with `excludeSelf` is left out. */
  messages: HistoryMessage[];
}

export type State = 'connecting' | 'open' | 'waiting' | 'closed';

export type StateEvent =
  | { state: 'connecting' }
  | { state: 'open' }
  | { state: 'waiting'; retryInMs: number; closeCode: number; reason: string }
  | { state: 'closed'; closeCode?: number; reason?: string };

/** The server's codes (docs/protocol.md), and this client's own. A later server may have more. */
export type ErrorCode =
  | 'bad_json'
  | 'unknown_command'
  | 'group_id_invalid'
  | 'message_missing'
  | 'message_too_large'
  | 'too_many_groups'
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
  /** Whether to make the same call later is safe and may work. Not so for `outcome_unknown`: it may double a send. */
  readonly retry: boolean;
  readonly groupId?: string;
}

/** As much of a WebSocket as the client uses: a browser's, Node's and npm ws's have it. */
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
   * Whom `excludeSelf` leaves out: all clients with the same session. 1 to 64 of A-Z, a-z, 0-9, _ and -.
   * Default: random. Give the same again to remain oneself when the application starts anew.
   */
  session?: string;
  /** Bound of the sends without an answer, in bytes; over it: `queue_full`. Default: 1 MiB. */
  sendQueueBytesMax?: number;
  /** The first reconnect comes within this time. Default: 100. */
  backoffBaseMs?: number;
  /** No reconnect waits longer. Default: 10000. */
  backoffCapMs?: number;
  /** At least 0, below 1. Default: Math.random. */
  random?: () => number;
  timers?: Timers;
}

/** `since` or `history` or neither. They count for the call that begins a membership. */
export interface JoinOptions {
  /** Messages are lost. Without this the member goes on without them and hears nothing of it. */
  onGap?: ((gap: Gap) => void) | null;
  /** Nothing was lost in a reconnect: what came in the meantime follows. */
  onRecovered?: ((position: Recovered) => void) | null;
  /** Get everything after this position, of an earlier run; if it is not to be had, onGap is told. */
  since?: Position | null;
  /** Get up to so many of the newest messages first. The server has at most 100. */
  history?: number | null;
}

export interface SendOptions {
  /** The clients of this session, so this one too, do not get the message as members. */
  excludeSelf?: boolean;
}

export interface HistoryOptions {
  /** Only what came after this position. */
  since?: Position | null;
  /** At most so many, the newest. Default: all that the server has, at most 100. */
  limit?: number;
}

export class Client {
  /** Starts to connect. Throws `no_websocket`, TypeError for the session, or what the WebSocket constructor throws. */
  constructor(url: string, options?: Options);

  readonly state: State;
  readonly url: string;
  /** Stays the same over reconnects. */
  readonly session: string;

  /** The function that is returned ends the listening. */
  on(event: 'state', listener: (event: StateEvent) => void): () => void;
  on(event: 'error', listener: (error: GroupcastError) => void): () => void;

  /**
   * Become a member, and remain one over reconnects until leave() or close(). `onMessage` gets each message once, in
   * the group's order. Resolves with where delivery begins; waits while there is no connection.
   */
  join<Message = any>(
    groupId: string | number,
    onMessage: (message: Message, info: MessageInfo) => void,
    options?: JoinOptions
  ): Promise<Joined>;

  /** From now on the callbacks are not called, also if the group is just being recovered. */
  leave(groupId: string | number): Promise<void>;

  /**
   * Resolves with the message's place in the group's order: it is done, and members get it. Rejects
   * - with `outcome_unknown` if it may or may not have been done: for 75 s no certain answer came, or the client was
   *   closed. To send it again may double it;
   * - with anything else if it was not done: `unavailable` (for 75 s), `queue_full`, `closed`, or the server's refusal.
   * Until then the client repeats it by itself. Before its first transmission it waits for a connection without limit.
   */
  send(groupId: string | number, message: Json, options?: SendOptions): Promise<Position>;

  /** Reads a group's newest messages, without being a member. Waits while there is no connection. */
  history(groupId: string | number, options?: HistoryOptions): Promise<History>;

  /** Sends that may have been done reject with `outcome_unknown`, everything else that waits with `closed`. */
  close(): void;
}
