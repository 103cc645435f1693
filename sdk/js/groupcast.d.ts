// Types of groupcast.js; what things mean is said there.
// From a script tag the module is the global `groupcast`.

export as namespace groupcast;

/** Any value that JSON can carry. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** A message's place in its group. Offsets of different epochs cannot be compared. */
export interface Position {
  epoch: string;
  /** Grows along the group, not necessarily by 1. */
  offset: number;
}

export interface MessageInfo extends Position {
  groupId: string;
  /** Milliseconds since 1970 (UTC), by the clock of the worker that took the send. */
  sentAt: number;
}

/** Messages with an offset in (from, to] may be missing. */
export interface Gap {
  groupId: string;
  epoch: string;
  /** null if the group's numbering began anew. */
  from: number | null;
  to: number;
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
  /** Whether the same call may work later. */
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
  /** Bound of the sends that wait for the network, in bytes; over it: `queue_full`. Default: 1 MiB. */
  sendQueueBytesMax?: number;
  /** The first reconnect comes within this time. Default: 100. */
  backoffBaseMs?: number;
  /** No reconnect waits longer. Default: 10000. */
  backoffCapMs?: number;
  /** At least 0, below 1. Default: Math.random. */
  random?: () => number;
  timers?: Timers;
}

export interface JoinOptions {
  onGap?: ((gap: Gap) => void) | null;
}

export class Client {
  /** Starts to connect. Throws `no_websocket`, or what the WebSocket constructor throws. */
  constructor(url: string, options?: Options);

  readonly state: State;
  readonly url: string;

  /** The function that is returned ends the listening. */
  on(event: 'state', listener: (event: StateEvent) => void): () => void;
  on(event: 'error', listener: (error: GroupcastError) => void): () => void;

  /** Resolves with where delivery begins. */
  join<Message = any>(
    groupId: string | number,
    onMessage: (message: Message, info: MessageInfo) => void,
    options?: JoinOptions
  ): Promise<Position>;

  leave(groupId: string | number): Promise<void>;

  /** Resolves with the message's place in the group's order. */
  send(groupId: string | number, message: Json): Promise<Position>;

  close(): void;
}
