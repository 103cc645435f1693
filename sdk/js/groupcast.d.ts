// The types of this package, and its promises.
// From a script tag the module is the global `groupcast`.
//
// What a member gets: every message of the group after its join, once, in one order that is the same for all
// members. A lost connection loses nothing: after the reconnect the member gets the messages that it missed
// (onRecovered). If the server no longer has a message, onGap reports the loss. No loss is silent.
//
// The result of a send: the message counts once, however often the client transmitted it, or not at all. The promise
// says which. If the client cannot find this out within 75 s, the promise rejects with `outcome_unknown`.
//
// A rejection that the application does not look at (with await, then() or catch()) does not end the program. It goes
// to on('error'), or to the console. A TypeError is a defect of the program, and becomes an uncaught error.

export as namespace groupcast;

/** Any value that JSON can carry. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/**
 * `T` if JSON can carry its values: interfaces, arrays, and objects with toJSON(), such as Date. It is `never` where a
 * value would be lost: for functions, undefined, symbols and big integers. An optional field may be undefined.
 */
export type Sendable<T> = T extends null | boolean | number | string
  ? T
  : T extends undefined | bigint | symbol | ((...args: never[]) => unknown)
    ? never
    : T extends { toJSON(): unknown }
      ? T
      : T extends readonly (infer Element)[]
        ? readonly Sendable<Element>[]
        : { [Key in keyof T]: Sendable<Exclude<T[Key], undefined>> | Extract<T[Key], undefined> };

/**
 * A message's place in its group. Offsets of different epochs cannot be compared.
 * To continue in a later run of the application, store a position and join with it as `since`.
 */
export interface Position {
  epoch: string;
  /** Grows along the group, not necessarily by 1. Below 2^53. */
  offset: number;
}

/** What comes with a message. */
export interface MessageInfo extends Position {
  groupId: string;
  /** Milliseconds since 1970 (UTC), by the clock of the worker that accepted the send. */
  sentAt: number;
  /** The sender, in groups whose rules name senders. */
  from?: Sender;
}

/** The connection that sent a message. The server writes it. */
export interface Sender {
  connectionId: string;
  user?: string;
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

/** A message that was read without a membership. */
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

/** One connection in a group. All connections of one session are one member. */
export interface Member {
  connectionId: string;
  /** The name of the user, from the token. */
  user?: string;
  /** What the token says of the user. */
  info?: any;
  /** The time of the join, in milliseconds since 1970 (UTC). */
  since: number;
}

/** One page of the members of a group. */
export interface Members {
  groupId: string;
  /** Of the whole group. */
  count: number;
  /** One page, in the order of the connection ids. Empty with `countOnly`. */
  members: Member[];
  /** The `after` of the next page; undefined after the last one. */
  next?: string;
}

/** What has changed in the members of a group. */
export interface MembersChange {
  /** Also those whose fields have changed. */
  joined: Member[];
  left: Member[];
}

/** One message of `for await (const message of client.group('a'))`. */
export interface GroupMessage<Message = any> extends MessageInfo {
  message: Message;
  /** The messages that are lost between the one before and this one; null if none are. */
  gap: Gap | null;
}

/** The states of the connection. StateEvent explains them. */
export type State = 'connecting' | 'open' | 'waiting' | 'closed';

/**
 * `waiting`: not connected. The next attempt begins in `retryInMs`. `closeCode` and `reason` tell how the last
 * connection ended.
 * `closed`: for good. `closeCode` and `reason` are there if the server ended the client. `httpStatus` is there if it
 * refused the handshake with this status, and the WebSocket shows it: npm's `ws` does, browsers do not.
 */
export type StateEvent =
  | { state: 'connecting' }
  | { state: 'open' }
  | { state: 'waiting'; retryInMs: number; closeCode: number; reason: string; httpStatus?: number }
  | { state: 'closed'; closeCode?: number; reason?: string; httpStatus?: number };

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
  | 'unauthorized'
  | 'token_expired'
  | 'forbidden'
  | 'internal'
  | 'queue_full'
  | 'left'
  | 'closed'
  | 'refused'
  | 'no_token'
  | 'no_crypto'
  | 'no_websocket';

/**
 * The server's errors, and those of the client:
 *
 * | code              | retry | means                                                                       |
 * |-------------------|-------|-----------------------------------------------------------------------------|
 * | `queue_full`      | yes   | the sends without an answer are over `sendQueueBytesMax`, or 128 reads wait |
 * | `outcome_unknown` | no    | a send may or may not count; to send it again may double it                 |
 * | `left`            | no    | leave() was called before the join was answered                             |
 * | `closed`          | no    | close() was called                                                          |
 * | `refused`         | no    | the server refused this client for good                                     |
 * | `no_token`        | yes   | the token callback failed                                                   |
 * | `no_websocket`    | no    | this environment has no WebSocket, and the options have none                |
 * | `no_crypto`       | no    | this environment has no cryptographic random numbers                        |
 */
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
  /** Called with each frame. */
  onmessage: ((event: any) => void) | null;
  /** Called once, with the close code. */
  onclose: ((event: any) => void) | null;
  /** Called before onclose, if the connection failed. */
  onerror: ((event: any) => void) | null;
  /** Sends one text frame. */
  send(text: string): void;
  /** Begins the closing handshake. */
  close(): void;
  /** Of npm's ws: ends the connection without waiting for the peer. */
  terminate?(): void;
  /** Of npm's ws: shows why the server refused the handshake. */
  once?(event: 'unexpected-response', listener: (request: any, response: any) => void): unknown;
}

/** The clock and the timers of a client. Tests have their own. */
export interface Timers {
  /** Calls `callback` once, after `ms` milliseconds. */
  setTimeout(callback: () => void, ms: number): unknown;
  /** `timer` is what setTimeout() has returned. */
  clearTimeout(timer: any): void;
  /** Milliseconds, by a clock that never goes back. */
  now(): number;
  /** Milliseconds, by the clock that the machine shows. */
  wallNow(): number;
}

/** The options of a client. */
export interface Options {
  /** Default: the global WebSocket. Node before 22 has none. */
  WebSocket?: new (url: string, protocols: string[]) => WebSocketLike;
  /**
   * 1 to 64 characters of A-Z, a-z, 0-9, _ and -. `excludeSelf` leaves out all clients with the same session.
   * Default: the `session` of the url, or a random one. Give the same value again to keep the session when the
   * application starts again. Clients that are connected at the same time should have different sessions, unless they
   * are one client for `excludeSelf`. A session is a secret.
   */
  session?: string;
  /**
   * The token of the user, or a function that gets one. The client calls the function for each connection, and when the
   * token of a connection expires. It needs a function to come back after that.
   */
  token?: string | (() => string | Promise<string>);
  /** Closes the client when it aborts. */
  signal?: AbortSignal;
  /** The bound of the sends without an answer, in bytes. Over it: `queue_full`. Default: 1 MiB. */
  sendQueueBytesMax?: number;
  /** The first reconnect begins within this time. Default: 100. */
  backoffBaseMs?: number;
  /** No reconnect waits longer. Default: 10000. */
  backoffCapMs?: number;
  /** For tests: returns at least 0, below 1. Default: Math.random. */
  random?: () => number;
  /** For tests. */
  timers?: Timers;
  /** For tests: what tells `online`, `offline` and `document.visibilityState`. Default: globalThis. */
  scope?: object;
}

/**
 * Where a membership begins: after its join (the default), after a position of an earlier run, or with up to a number
 * of the newest messages (the server has at most 100). It counts for the call that begins a membership.
 */
export type Begin =
  | { since?: null; history?: null }
  | { since: Position | null; history?: null }
  | { since?: null; history: number | null };

/** What a membership calls, and when it ends. */
export interface MemberOptions {
  /** Called when messages are lost. Without it the member continues without them and gets no notice. */
  onGap?: ((gap: Gap) => void) | null;
  /**
   * Called when a reconnect lost nothing. The position is the one before the connection broke. All messages after it
   * follow: first the missed ones, then the live ones.
   */
  onRecovered?: ((position: Recovered) => void) | null;
  /**
   * Called with all members of the group, by connection id, and with what has changed: after each join, when the list
   * is complete, and then for each member that comes or goes. The map is the client's own and changes later.
   */
  onMembers?: ((members: ReadonlyMap<string, Member>, change: MembersChange) => void) | null;
  /** Called once when the membership ends: with the error of leave(), close(), the signal or the server. */
  onEnd?: ((error: GroupcastError | Error) => void) | null;
  /** Leaves the group when it aborts. A join without an answer rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** The options of join(). */
export type JoinOptions = MemberOptions & Begin;

/** The options of send(). */
export interface SendOptions {
  /** Members of this session, including this client, do not get the message. */
  excludeSelf?: boolean;
  /** Ends the send: with the signal's reason if it was never transmitted, else with `outcome_unknown`. */
  signal?: AbortSignal;
}

/** The part of a history that history() reads. */
export interface HistoryOptions {
  /** Only messages after this position. */
  since?: Position | null;
  /** At most this number, the newest. Default: all that the server has, at most 100. */
  limit?: number;
  signal?: AbortSignal;
}

/** The page of members that members() reads. */
export interface MembersOptions {
  /** Of one page. Default: 100, at most 500. */
  limit?: number;
  /** The `next` of the page before. */
  after?: string;
  /** Only the number. */
  countOnly?: boolean;
  signal?: AbortSignal;
}

/**
 * A client of Groupcast. It keeps one connection and replaces it when it breaks. Then it joins its groups again from
 * their last positions, and sends again what has no acknowledgement.
 *
 * A member gets every message of the group after its join, once, in one order. After a reconnect it gets the messages
 * that it missed. If the server no longer has a message, onGap reports the loss. No loss is silent.
 */
export class Client {
  /**
   * Begins to connect, for example to 'ws://127.0.0.1:1234'. Throws `no_websocket`, `no_crypto`, TypeError for the
   * session, or the WebSocket constructor's error.
   */
  constructor(url: string, options?: Options);

  readonly state: State;
  /** As it was given. */
  readonly url: string;
  /** The same over all reconnects. */
  readonly session: string;

  /**
   * Calls `listener` on each event of this name, until the returned function is called.
   *
   * `state`: the state has changed.
   * `error`: an error that no promise tells: a group (`groupId`) that could not be joined again, or was taken away, is
   * gone; the members of a group (`groupId`) could not be read, and onMembers is not called before the next join; the
   * server refused this client; nobody looked at a promise that rejected. Without a listener it goes to the console.
   */
  on(event: 'state', listener: (event: StateEvent) => void): () => void;
  on(event: 'error', listener: (error: GroupcastError) => void): () => void;

  /**
   * Makes this client a member, over reconnects, until leave() or close(). `onMessage` gets each message once, in the
   * group's order, including this client's own. Resolves with the position at which delivery begins. Waits while there
   * is no connection, and while the server postpones the join. Rejects with the server's error, `left`, `closed` or
   * `refused`. A second join of a group replaces the callbacks, and changes nothing else.
   * The group of a loop (group()) cannot be joined.
   */
  join<Message = any>(
    groupId: string | number,
    onMessage: (message: Message, info: MessageInfo) => void,
    options?: JoinOptions
  ): Promise<Joined>;

  /**
   * From now on the client does not call the group's callbacks, also during a recovery. To leave a group that this
   * client is not in has no effect. A leave that the server postpones is tried again.
   */
  leave(groupId: string | number): Promise<void>;

  /**
   * Resolves with the message's place in the group's order: it counts, and members get it. Rejects
   * - with `outcome_unknown` if the message may or may not count: the client had no certain answer for 75 s, or it was
   *   closed. To send it again may double it;
   * - with any other error if it does not count: `unavailable` (for 75 s), `queue_full`, `closed`, or the server's
   *   refusal.
   * Until then the client repeats the send by itself. Before its first transmission a send waits for a connection
   * without a limit. Sends keep their order, except a send that the server postponed. This client need not be a member.
   */
  send<Message>(
    groupId: string | number,
    message: Message & Sendable<Message>,
    options?: SendOptions
  ): Promise<Position>;

  /** Reads a group's newest messages, without a membership. Waits while there is no connection. */
  history(groupId: string | number, options?: HistoryOptions): Promise<History>;

  /** Reads who is in a group, page by page, without a membership. Waits while there is no connection. */
  members(groupId: string | number, options?: MembersOptions): Promise<Members>;

  /**
   * A membership as an asynchronous iterator. It joins when the loop begins, and leaves when the loop ends. leave() and
   * close() end the loop. It throws if the server ends the membership. If it is slow, at most 1,000 messages wait for
   * it. Then the client leaves the group, and joins it again when the loop has taken them: the server has the others
   * (onRecovered), or `gap` says that they are lost. A loop needs the group alone: a group that this client is in
   * already cannot be iterated, and join() rejects with a TypeError while the loop runs.
   */
  group<Message = any>(
    groupId: string | number,
    options?: Omit<MemberOptions, 'onEnd'> & Begin
  ): AsyncIterableIterator<GroupMessage<Message>>;

  /** Replaces the connection at once, or connects at once while the client waits. Nothing is lost. */
  reconnect(): void;

  /** Ends the client. Sends that may count reject with `outcome_unknown`, everything else that waits with `closed`. */
  close(): void;
}
