// Groupcast for JavaScript. Made by build.js from src/. groupcast.d.ts has the types and the promises.
(function (target, crypto) {
(() => {
  // src/answer.js
  var Answer = class extends Promise {
    static get [Symbol.species]() {
      return Promise;
    }
    then(onResolved, onRejected) {
      this.isTaken = true;
      return super.then(onResolved, onRejected);
    }
  };
  function answer(clock, work, onUntaken) {
    const result = new Answer((resolve) => resolve(work()));
    Promise.prototype.then.call(result, void 0, (error) => {
      if (result.isTaken) return;
      clock.after(0, () => {
        if (result.isTaken) return;
        if (error instanceof TypeError) throw error;
        onUntaken(error);
      });
    });
    return result;
  }
  function watchAbort(signal, onAbort) {
    if (!signal) return () => {
    };
    signal.throwIfAborted();
    const listener = () => onAbort(signal.reason);
    signal.addEventListener("abort", listener, { once: true });
    return () => signal.removeEventListener("abort", listener);
  }

  // src/backoff.js
  var Backoff = class {
    constructor(baseMs, capMs, random) {
      this._baseMs = baseMs;
      this._random = random;
      this.capMs = capMs;
    }
    // The pause after this number of failures in a row, before the newest one.
    delayMs(failures, capMs = this.capMs) {
      return this.spreadMs(Math.min(capMs, this._baseMs * 2 ** failures));
    }
    // A random time below `ms`.
    spreadMs(ms) {
      return this._random() * ms;
    }
  };

  // src/clock.js
  var TIMER_MAX_MS = 2147483647;
  var systemTimers = {
    setTimeout: (callback, ms) => setTimeout(callback, ms),
    clearTimeout: (timer) => clearTimeout(timer),
    now: () => performance.now(),
    wallNow: () => Date.now()
  };
  var Clock = class {
    constructor(timers = systemTimers) {
      this._timers = timers;
    }
    // Milliseconds, by a clock that never goes back. While the machine sleeps it may stand still.
    now() {
      return this._timers.now();
    }
    // Calls `callback` once after `ms`, or after 24 days if that is earlier.
    after(ms, callback) {
      return this._timers.setTimeout(callback, Math.min(ms, TIMER_MAX_MS));
    }
    cancel(timer) {
      this._timers.clearTimeout(timer);
    }
    // Returns a function that tells the milliseconds since now, also those that the machine slept. The wall clock alone
    // knows these. If somebody sets that clock forward, the function tells too much; it never tells too little, except
    // after a sleep in which the wall clock was set back. So it is for decisions that are safe when they come too early.
    stopwatch() {
      const timers = this._timers;
      const begin = timers.now();
      const wallBegin = timers.wallNow();
      return () => Math.max(timers.now() - begin, timers.wallNow() - wallBegin);
    }
  };

  // src/error.js
  var GroupcastError = class extends Error {
    constructor(code, message, retry, groupId) {
      super(message);
      this.name = "GroupcastError";
      this.code = code;
      this.retry = retry;
      if (groupId !== void 0) this.groupId = groupId;
    }
  };
  function toError({ code, message, retry }) {
    return new GroupcastError(code, message, retry === true);
  }

  // src/presence.js
  function toMember({ connection_id: connectionId, user, info, since }) {
    return { connectionId, user, info, since };
  }
  var MembersView = class {
    /**
     * @param {string} groupId
     * @param {ViewReader} reader
     * @param {function(Map, object)} onMembers gets the view and what has changed
     */
    constructor(groupId, reader, onMembers) {
      this.groupId = groupId;
      this._reader = reader;
      this._onMembers = onMembers;
      this._members = /* @__PURE__ */ new Map();
      this._next = null;
    }
    load() {
      this._next = /* @__PURE__ */ new Map();
      this._reader.read(this);
    }
    // From now on no callback is called.
    end() {
      this._onMembers = () => {
      };
      this._reader.drop(this);
    }
    onPage(page, isLast) {
      for (const member of page) this._next.set(member.connection_id, toMember(member));
      if (!isLast) return;
      const before = this._members;
      const members = this._members = this._next;
      this._next = null;
      this._onMembers(members, {
        joined: [...members.values()].filter(({ connectionId }) => !before.has(connectionId)),
        left: [...before.values()].filter(({ connectionId }) => !members.has(connectionId))
      });
    }
    onEvent(event) {
      const member = toMember(event);
      const { connectionId } = member;
      const isJoin = event.event === "member_joined";
      if (this._next) {
        if (isJoin) this._next.set(connectionId, member);
        else this._next.delete(connectionId);
        return;
      }
      const before = this._members.get(connectionId);
      if (isJoin) this._members.set(connectionId, member);
      else this._members.delete(connectionId);
      if (isJoin) this._onMembers(this._members, { joined: [member], left: [] });
      else if (before) this._onMembers(this._members, { joined: [], left: [before] });
    }
  };
  var ViewReader = class {
    // `writable()` is the connection to write to, or null if there is none. `onError` gets why a view cannot be read.
    constructor(writable, onError) {
      this._writable = writable;
      this._onError = onError;
      this._views = /* @__PURE__ */ new Set();
      this._forget = null;
    }
    // Begins with the first page, also if it is being read.
    read(view) {
      this.drop(view);
      this._views.add(view);
      this._ask();
    }
    drop(view) {
      const [first] = this._views;
      this._views.delete(view);
      if (view !== first) return;
      this._stop();
      this._ask();
    }
    clear() {
      this._views.clear();
      this._stop();
    }
    _stop() {
      this._forget?.();
      this._forget = null;
    }
    // Pages and events of one connection have one order. They are taken at once, so nothing is missing between them.
    _ask(after) {
      const [view] = this._views;
      const connection = this._writable();
      if (!view || this._forget || !connection) return;
      const id = connection.ask({ cmd: "group_members", group_id: view.groupId, limit: 500, after }, {
        onReply: ({ members, next }) => {
          this._forget = null;
          const isLast = next === void 0;
          if (isLast) this._views.delete(view);
          view.onPage(members, isLast);
          this._ask(next);
        },
        onError: (error) => {
          this._forget = null;
          this._views.delete(view);
          error.groupId = view.groupId;
          this._onError(error);
          this._ask();
        },
        onLost: () => {
        }
      });
      this._forget = () => connection.forget(id);
    }
  };

  // src/groups.js
  var LEAVE_PAUSE_MAX_MS = 1e3;
  var Group = class {
    constructor(id, { since, history, isLoop }) {
      this.id = id;
      this.isLoop = isLoop;
      this.isPaused = false;
      this.callbacks = null;
      this.position = since;
      this.history = history;
      this.joined = false;
      this.wasJoined = false;
      this.waiters = [];
      this.failures = 0;
      this.retryTimer = null;
      this.view = null;
      this.endAbort = () => {
      };
    }
  };
  function gapStart(before, after) {
    return before.epoch === after.epoch && before.offset <= after.offset ? before.offset : null;
  }
  var Groups = class {
    /**
     * @param {function(): Connection} writable the connection to write to; null if there is none
     * @param {Clock} clock
     * @param {Backoff} backoff
     * @param {function(function())} call runs a callback of the application
     * @param {function(GroupcastError)} onError for a group that ends although its join() has its answer, and for a view
     *     that cannot be read
     */
    constructor(writable, clock, backoff, call, onError) {
      this._writable = writable;
      this._clock = clock;
      this._backoff = backoff;
      this._call = call;
      this._onError = onError;
      this._groups = /* @__PURE__ */ new Map();
      this._reader = new ViewReader(writable, onError);
    }
    get(id) {
      return this._groups.get(id);
    }
    /**
     * `callbacks`: onMessage, onGap, onRecovered, onMembers, and onEnd(error) when the membership ends. `begin`: since,
     * history, isLoop. Returns the group and a promise of its join.
     */
    join(id, callbacks, begin) {
      let group = this._groups.get(id);
      const isNew = !group;
      if (isNew) {
        group = new Group(id, begin);
        this._groups.set(id, group);
      }
      group.callbacks = callbacks;
      group.view?.end();
      const { onMembers } = callbacks;
      group.view = onMembers && new MembersView(
        id,
        this._reader,
        (members, change) => this._call(() => onMembers(members, change))
      );
      if (group.joined) {
        if (group.view) this._writeJoin(group);
        return { group, joined: Promise.resolve({ recovered: true, ...group.position }) };
      }
      const joined = new Promise((resolve, reject) => group.waiters.push({ resolve, reject }));
      if (isNew) this._writeJoin(group);
      return { group, joined };
    }
    // From now on no callback of the group is called. Its waiters get `error`.
    async leave(id, error) {
      const group = this._groups.get(id);
      if (!group) return;
      this._forget(group, error);
      await this._writeLeave(id);
    }
    // The membership keeps its place, and the server sends nothing until resume().
    pause(id) {
      const group = this._groups.get(id);
      group.isPaused = true;
      group.joined = false;
      this._writeLeave(id).catch(() => {
      });
    }
    resume(id) {
      const group = this._groups.get(id);
      if (!group.isPaused) return;
      group.isPaused = false;
      this._writeJoin(group);
    }
    // A leave that the server postpones is tried again: as a member the connection would get the group's messages for
    // nothing.
    _writeLeave(id, failures = 0) {
      const connection = this._writable();
      if (!connection) return Promise.resolve();
      return new Promise((resolve, reject) => {
        connection.ask({ cmd: "leave_group", group_id: id }, {
          onReply: () => resolve(),
          onError: (error) => {
            if (!error.retry) {
              reject(error);
              return;
            }
            this._clock.after(this._backoff.delayMs(failures, LEAVE_PAUSE_MAX_MS), () => {
              const group = this._groups.get(id);
              resolve(group && !group.isPaused ? void 0 : this._writeLeave(id, failures + 1));
            });
          },
          onLost: () => resolve()
          // a closed connection leaves all its groups
        });
      });
    }
    onOpen() {
      for (const group of this._groups.values()) this._writeJoin(group);
    }
    onLost() {
      this._reader.clear();
      for (const group of this._groups.values()) {
        group.joined = false;
        this._clock.cancel(group.retryTimer);
      }
    }
    // `errorOf(groupId)` is what the joins without an answer get.
    onEnd(errorOf) {
      for (const group of this._groups.values()) this._forget(group, errorOf(group.id));
    }
    // The server's events. Returns whether this one belongs here.
    onEvent(event) {
      switch (event.event) {
        case "message":
          this._onMessage(event);
          return true;
        case "gap":
          this._onGap(event);
          return true;
        case "member_joined":
        case "member_left":
          this._onMember(event);
          return true;
        case "error":
          return this._onExpelled(event);
        default:
          return false;
      }
    }
    _writeJoin(group) {
      const connection = this._writable();
      if (!connection || group.isPaused) return;
      const command = { cmd: "add_group", group_id: group.id };
      if (group.position !== null) {
        if (!group.joined) command.since = group.position;
      } else if (group.history !== null) {
        command.history = group.history;
      }
      if (group.view) command.presence = true;
      connection.ask(command, {
        onReply: (reply) => this._onJoined(group, reply, command.presence),
        onError: (error) => this._onJoinFailed(group, error),
        onLost: () => {
        }
        // the next connection joins it
      });
    }
    _onJoined(group, reply, presence) {
      if (this._groups.get(group.id) !== group) return;
      if (group.view && presence) group.view.load();
      if (group.joined) return;
      const before = group.position;
      const isRejoin = group.wasJoined;
      group.joined = group.wasJoined = true;
      group.failures = 0;
      const continues = before !== null && reply.recovered !== false && reply.epoch === before.epoch && reply.offset <= before.offset;
      if (!continues) group.position = { epoch: reply.epoch, offset: reply.offset };
      if (group.view && !presence) this._writeJoin(group);
      const recovered = continues || before === null;
      for (const waiter of group.waiters) waiter.resolve({ recovered, ...group.position });
      group.waiters = [];
      if (!recovered) {
        this._tellGap(group, gapStart(before, group.position));
      } else if (isRejoin && group.callbacks.onRecovered) {
        const about = { groupId: group.id, ...group.position };
        this._call(() => group.callbacks.onRecovered(about));
      }
    }
    // A join that the server postpones is tried again until the application leaves the group, also the first one.
    _onJoinFailed(group, error) {
      if (this._groups.get(group.id) !== group) return;
      error.groupId = group.id;
      if (error.retry) {
        group.retryTimer = this._clock.after(this._backoff.delayMs(group.failures++), () => this._writeJoin(group));
        return;
      }
      this._forget(group, error);
      if (group.wasJoined) this._onError(error);
    }
    _onMessage(event) {
      const group = this._groups.get(event.group_id);
      if (!group?.joined) return;
      const before = group.position;
      if (event.offset <= before.offset) return;
      if (event.previous !== before.offset) {
        const after = { epoch: before.epoch, offset: event.previous };
        group.position = after;
        this._tellGap(group, gapStart(before, after));
        if (this._groups.get(group.id) !== group) return;
      }
      group.position = { epoch: before.epoch, offset: event.offset };
      if (event.excluded === true) return;
      const about = { groupId: group.id, epoch: before.epoch, offset: event.offset, sentAt: event.sent_at };
      if (event.from) about.from = { connectionId: event.from.connection_id, user: event.from.user };
      this._call(() => group.callbacks.onMessage(event.message, about));
    }
    _onGap(event) {
      const group = this._groups.get(event.group_id);
      if (!group?.joined) return;
      const before = group.position;
      const after = { epoch: event.epoch, offset: event.to };
      const isOtherHistory = after.epoch !== before.epoch || event.from === null;
      if (!isOtherHistory && after.offset <= before.offset) return;
      group.position = after;
      this._tellGap(group, isOtherHistory ? null : before.offset);
    }
    // The gap ends at the group's position.
    _tellGap(group, from) {
      const { onGap } = group.callbacks;
      if (!onGap) return;
      const { epoch, offset } = group.position;
      this._call(() => onGap({ groupId: group.id, epoch, from, to: offset }));
    }
    _onMember(event) {
      const group = this._groups.get(event.group_id);
      group?.view?.onEvent(event);
    }
    // The connection is no longer in the group, for example because of its token. If a join waits for its answer, the
    // group is an earlier membership's.
    _onExpelled(event) {
      const group = event.cmd === "add_group" && event.id === void 0 && this._groups.get(event.group_id);
      if (!group) return false;
      if (group.joined) {
        group.joined = false;
        this._onJoinFailed(group, toError(event));
      }
      return true;
    }
    _forget(group, error) {
      this._groups.delete(group.id);
      this._clock.cancel(group.retryTimer);
      group.endAbort();
      for (const waiter of group.waiters) waiter.reject(error);
      group.view?.end();
      const { onEnd } = group.callbacks;
      if (onEnd) this._call(() => onEnd(error));
    }
  };

  // src/liveness.js
  var SILENCE_MARGIN_MS = 1e4;
  var PONG_TIMEOUT_MS = 1e4;
  var PROBE_TIMEOUT_MS = 1500;
  var Liveness = class {
    /**
     * @param {Clock} clock
     * @param {number} pingIntervalMs of the server
     * @param {function(): *} writePing writes a ping, and returns its id
     * @param {function(): void} onDead
     */
    constructor(clock, pingIntervalMs, writePing, onDead) {
      this._clock = clock;
      this._silenceMaxMs = pingIntervalMs + SILENCE_MARGIN_MS;
      this._writePing = writePing;
      this._onDead = onDead;
      this._heardAt = clock.now();
      this._pingId = null;
      this._deadline = 0;
      this._check();
    }
    // A frame came. A pong counts only for its own ping: an old one says nothing about the line of today.
    heard(pongId) {
      if (pongId !== void 0 && pongId !== this._pingId) return;
      this._heardAt = this._clock.now();
      if (this._pingId === null) return;
      this._pingId = null;
      this._arm(this._silenceMaxMs);
    }
    // Asks at once, because the connection may be dead.
    probe() {
      const deadline = this._clock.now() + PROBE_TIMEOUT_MS;
      if (this._pingId === null) {
        this._ask(PROBE_TIMEOUT_MS);
      } else if (deadline < this._deadline) {
        this._deadline = deadline;
        this._arm(PROBE_TIMEOUT_MS);
      }
    }
    stop() {
      this._clock.cancel(this._timer);
    }
    // Looks from time to time, instead of setting a new timer for each frame.
    _check() {
      const now = this._clock.now();
      if (this._pingId !== null) {
        if (now >= this._deadline) this._onDead();
        else this._arm(this._deadline - now);
        return;
      }
      const leftMs = this._heardAt + this._silenceMaxMs - now;
      if (leftMs > 0) this._arm(leftMs);
      else this._ask(PONG_TIMEOUT_MS);
    }
    _ask(timeoutMs) {
      this._pingId = this._writePing();
      this._deadline = this._clock.now() + timeoutMs;
      this._arm(timeoutMs);
    }
    _arm(ms) {
      this._clock.cancel(this._timer);
      this._timer = this._clock.after(ms, () => this._check());
    }
  };

  // src/values.js
  var MESSAGE_DEPTH_MAX = 63;
  function toGroupId(groupId) {
    if (Number.isSafeInteger(groupId)) return String(groupId);
    if (typeof groupId !== "string") {
      throw new GroupcastError("group_id_invalid", "group id must be a string or an integer", false);
    }
    checkJson(JSON.stringify(groupId), groupId);
    return groupId;
  }
  function toMessageJson(message, groupId) {
    let json;
    try {
      json = JSON.stringify(message);
    } catch (error) {
      throw new GroupcastError("bad_json", "message has no JSON: " + error.message, false, groupId);
    }
    if (json === void 0) {
      throw new GroupcastError("message_missing", "message has no JSON value", false, groupId);
    }
    checkJson(json, groupId);
    return json;
  }
  function checkJson(json, groupId) {
    const fail = (why) => {
      throw new GroupcastError("bad_json", why, false, groupId);
    };
    if (/(^|[^\\])(\\\\)*\\ud[89a-f]/.test(json)) fail("text has a lone surrogate");
    let depth = 0;
    const withoutStrings = json.replace(/"[^"\\]*(\\.[^"\\]*)*"/g, "");
    for (const [bracket] of withoutStrings.matchAll(/[[{\]}]/g)) {
      depth += bracket === "[" || bracket === "{" ? 1 : -1;
      if (depth > MESSAGE_DEPTH_MAX) fail("message is nested too deeply");
    }
  }
  function utf8Length(text) {
    return new TextEncoder().encode(text).length;
  }
  function toPosition(since) {
    if (since === null || since === void 0) return null;
    if (!/^[0-9a-f]{16}$/.test(since.epoch) || !Number.isSafeInteger(since.offset) || since.offset < 0) {
      throw new TypeError("since must be a position: {epoch, offset}");
    }
    return { epoch: since.epoch, offset: since.offset };
  }
  function positiveOr(value, fallback) {
    return typeof value === "number" && value > 0 && Number.isFinite(value) ? value : fallback;
  }

  // src/connection.js
  var SUBPROTOCOL = "groupcast.v1.json";
  var TOKEN_SUBPROTOCOL = "groupcast.token.";
  var CONNECT_TIMEOUT_MS = 1e4;
  var CLOSE_TIMEOUT_MS = 1e3;
  var DEFAULT_PING_INTERVAL_MS = 25e3;
  var REFUSAL_TEXT_MAX = 500;
  var OPEN = 1;
  var Connection = class {
    /** @throws the WebSocket constructor's error, for example for a malformed url */
    constructor({ address, token, WebSocket: WebSocket2, clock, nextId }, owner) {
      this.welcome = null;
      this.closing = null;
      this._clock = clock;
      this._nextId = nextId;
      this._owner = owner;
      this._pending = /* @__PURE__ */ new Map();
      this._liveness = null;
      const socket = this._socket = new WebSocket2(address, token ? [SUBPROTOCOL, TOKEN_SUBPROTOCOL + token] : [SUBPROTOCOL]);
      socket.onmessage = ({ data }) => this._onFrame(data);
      socket.onclose = ({ code, reason }) => this._lose({ closeCode: code, reason });
      socket.onerror = (error) => this._onFailed(error);
      socket.once?.("unexpected-response", (request, response) => this._onRefused(response));
      this._timer = clock.after(CONNECT_TIMEOUT_MS, () => this.abandon("no welcome in time"));
    }
    // After `closing`, or while the socket closes, a command may not arrive. It waits for the next connection.
    get canWrite() {
      return this.welcome !== null && this.closing === null && this._socket.readyState === OPEN;
    }
    // The server closes a connection that writes a larger frame.
    get frameBytesMax() {
      return positiveOr(this.welcome.limits?.frame_bytes, Infinity);
    }
    /**
     * Writes the text of a command with this id. `command` gets one of onReply(reply), onError(error) and onLost(), once,
     * or none if the command is forgotten before.
     */
    write(id, text, command) {
      this._pending.set(id, command);
      this._socket.send(text);
    }
    // The same with an id of its own, which it returns.
    ask(fields, command) {
      const id = this._nextId();
      this.write(id, JSON.stringify({ id, ...fields }), command);
      return id;
    }
    forget(id) {
      this._pending.delete(id);
    }
    // Finds out soon whether the connection is still alive.
    probe() {
      if (this.canWrite) this._liveness.probe();
    }
    // Ends the connection without waiting for the peer, who may be gone.
    abandon(reason) {
      this._lose({ closeCode: 1006, reason });
    }
    // Ends the connection and tells the server, but not the owner.
    close() {
      const socket = this._stop();
      if (!socket) return;
      if (socket.terminate) {
        const timer = this._clock.after(CLOSE_TIMEOUT_MS, () => socket.terminate());
        socket.onclose = () => this._clock.cancel(timer);
      }
      socket.close();
      this._failPending();
    }
    // Releases the socket and ignores its later events.
    _stop() {
      const socket = this._socket;
      this._socket = null;
      if (!socket) return null;
      this.welcome = null;
      this._clock.cancel(this._timer);
      this._liveness?.stop();
      socket.onmessage = socket.onclose = null;
      return socket;
    }
    _lose(loss) {
      const socket = this._stop();
      if (!socket) return;
      if (socket.terminate) socket.terminate();
      else socket.close();
      this._failPending();
      this._owner.onLost(loss);
    }
    _failPending() {
      const pending = [...this._pending.values()];
      this._pending.clear();
      for (const command of pending) command.onLost();
    }
    // A close event follows, with more detail. But Node's own WebSocket has none for an attempt that failed.
    _onFailed({ message }) {
      if (this.welcome || !this._socket) return;
      this._clock.cancel(this._timer);
      this._timer = this._clock.after(0, () => this.abandon(message || ""));
    }
    _onRefused(response) {
      let text = "";
      const lose = () => this._lose({
        closeCode: 1006,
        reason: text.trim() || "HTTP " + response.statusCode,
        httpStatus: response.statusCode
      });
      response.setEncoding("utf8");
      response.on("data", (chunk) => {
        text = (text + chunk).slice(0, REFUSAL_TEXT_MAX);
      });
      response.on("end", lose);
      response.on("error", lose);
    }
    _onFrame(data) {
      let event;
      try {
        event = JSON.parse(data);
      } catch (error) {
        event = null;
      }
      if (event === null || typeof event !== "object") event = { event: null };
      if (!this.welcome) {
        if (event.event === "welcome") this._onWelcome(event);
        return;
      }
      const isPong = event.event === "reply" && event.pong === true;
      this._liveness.heard(isPong ? event.id : void 0);
      const command = this._pending.get(event.id);
      if (event.event === "reply" || event.event === "error" && command) {
        if (!command) return;
        this._pending.delete(event.id);
        if (event.event === "reply") command.onReply(event);
        else command.onError(toError(event));
        return;
      }
      if (event.event === "closing") this.closing = event;
      this._owner.onEvent(event);
    }
    _onWelcome(welcome) {
      this._clock.cancel(this._timer);
      this.welcome = welcome;
      let pingId = null;
      this._liveness = new Liveness(
        this._clock,
        positiveOr(welcome.ping_interval_ms, DEFAULT_PING_INTERVAL_MS),
        () => {
          this.forget(pingId);
          pingId = this._writePing();
          return pingId;
        },
        () => this.abandon("no answer to a ping")
      );
      this._owner.onWelcome();
    }
    _writePing() {
      const ignore = () => {
      };
      if (this._socket.readyState !== OPEN) return this._nextId();
      return this.ask({ cmd: "ping" }, { onReply: ignore, onError: ignore, onLost: ignore });
    }
  };

  // src/network_events.js
  var WAKE_TICK_MS = 2e3;
  var WAKE_LATE_MS = 3e3;
  function watchNetwork(scope, clock, onChange) {
    const ends = [];
    const listen = (target2, event, listener) => {
      if (!target2?.addEventListener) return;
      target2.addEventListener(event, listener);
      ends.push(() => target2.removeEventListener(event, listener));
    };
    const page = scope.document;
    const isHidden = () => page?.visibilityState === "hidden";
    listen(scope, "online", () => onChange("online"));
    listen(scope, "offline", () => onChange("offline"));
    listen(page, "visibilitychange", () => isHidden() || onChange("awake"));
    listen(page, "resume", () => onChange("awake"));
    let timer;
    const tick = () => {
      const elapsedMs = clock.stopwatch();
      timer = clock.after(WAKE_TICK_MS, () => {
        if (elapsedMs() > WAKE_TICK_MS + WAKE_LATE_MS && !isHidden()) onChange("awake");
        tick();
      });
    };
    tick();
    return () => {
      clock.cancel(timer);
      for (const end of ends) end();
    };
  }

  // src/link.js
  var RECONNECT_AFTER_MAX_MS = 6e4;
  var RESUME_SPREAD_MS = 500;
  var TOKEN_TIMEOUT_MS = 1e4;
  function isFinal({ closeCode, httpStatus }) {
    return [400, 401, 403].includes(httpStatus) || closeCode >= 4500 && closeCode <= 4999;
  }
  function asksForToken({ closeCode }) {
    return closeCode === 4500 || closeCode === 4501;
  }
  var Link = class {
    /**
     * @param {object} options address, token, WebSocket, clock, nextId, backoff, scope
     * @throws the WebSocket constructor's error
     */
    constructor(options, owner) {
      this.state = "connecting";
      this._options = options;
      this._owner = owner;
      this._connection = null;
      this._failures = 0;
      this._attempt = 0;
      this._freshTokenTried = false;
      this._openedAt = null;
      this._timer = null;
      this._waiting = null;
      this._endWatch = () => {
      };
      this._connect();
      this._endWatch = watchNetwork(options.scope, options.clock, (sign) => this._onNetworkChange(sign));
    }
    // The connection that commands can be written to; null if there is none.
    get writable() {
      return this._connection?.canWrite ? this._connection : null;
    }
    get canRefresh() {
      return typeof this._options.token === "function";
    }
    reconnect() {
      if (this.state === "closed") return;
      this._drop();
      this._failures = 0;
      this._owner.onLost();
      this._start();
    }
    close() {
      this.state = "closed";
      this._endWatch();
      this._drop();
    }
    // The token of the connection has expired. It works on for a while.
    async refreshToken() {
      const { token } = this._options;
      const connection = this._connection;
      try {
        const fresh = await token();
        if (connection !== this.writable) return;
        connection.ask(
          { cmd: "authenticate", token: fresh },
          { onReply: () => {
          }, onError: (error) => this._owner.onTokenError(error), onLost: () => {
          } }
        );
      } catch (error) {
        if (this.state !== "closed") this._owner.onTokenError(noToken(error));
      }
    }
    // Only a connection that lasted resets the backoff. So a server that accepts and closes at once gets few attempts.
    _noteHowLongItLasted() {
      const { clock, backoff } = this._options;
      if (this._openedAt !== null && clock.now() - this._openedAt >= backoff.capMs) {
        this._failures = 0;
        this._freshTokenTried = false;
      }
      this._openedAt = null;
    }
    // Closes what there is, and makes a late token useless.
    _drop() {
      this._noteHowLongItLasted();
      ++this._attempt;
      this._options.clock.cancel(this._timer);
      this._waiting = null;
      const connection = this._connection;
      this._connection = null;
      connection?.close();
    }
    _start() {
      this.state = "connecting";
      this._connect();
      if (this.state === "connecting") this._owner.onState("connecting", {});
    }
    _connect() {
      const { token, clock } = this._options;
      if (typeof token !== "function") {
        this._open(token);
        return;
      }
      const attempt = ++this._attempt;
      const fail = (error) => {
        if (attempt !== this._attempt) return;
        ++this._attempt;
        clock.cancel(this._timer);
        this._onLost({ closeCode: 1006, reason: noToken(error).message });
      };
      this._timer = clock.after(TOKEN_TIMEOUT_MS, () => fail(new Error("it takes too long")));
      new Promise((resolve) => resolve(token())).then((value) => {
        if (attempt !== this._attempt) return;
        clock.cancel(this._timer);
        try {
          this._open(value);
        } catch (error) {
          this._end(error.message, {});
        }
      }, fail);
    }
    _open(token) {
      this._connection = new Connection({ ...this._options, token }, {
        onWelcome: () => {
          this._openedAt = this._options.clock.now();
          this.state = "open";
          this._owner.onOpen();
          this._owner.onState("open", {});
        },
        onEvent: (event) => this._owner.onEvent(event),
        onLost: (loss) => {
          this._noteHowLongItLasted();
          this._onLost(loss);
        }
      });
    }
    _onLost(loss) {
      const closing = this._connection?.closing;
      this._connection = null;
      if (isFinal(loss)) {
        const mayTryToken = this.canRefresh && asksForToken(loss) && !this._freshTokenTried;
        if (!mayTryToken) {
          this._end((loss.httpStatus || loss.closeCode) + " " + loss.reason, loss);
          return;
        }
        this._freshTokenTried = true;
      }
      let retryInMs = this._options.backoff.delayMs(this._failures);
      if (closing) {
        retryInMs = Math.min(positiveOr(closing.reconnect_after_ms, retryInMs), RECONNECT_AFTER_MAX_MS);
      } else {
        ++this._failures;
      }
      this._owner.onLost();
      this._wait(retryInMs, loss, !!closing);
    }
    _wait(retryInMs, loss, isAsked) {
      const { clock } = this._options;
      this._waiting = { until: clock.now() + retryInMs, loss, isAsked };
      clock.cancel(this._timer);
      this._timer = clock.after(retryInMs, () => {
        this._waiting = null;
        this._start();
      });
      this.state = "waiting";
      this._owner.onState("waiting", { retryInMs, ...loss });
    }
    _end(reason, loss) {
      this.close();
      this._owner.onRefused(new GroupcastError("refused", "the server refused this client: " + reason, false), loss);
    }
    _onNetworkChange(sign) {
      const { clock, backoff } = this._options;
      if (this.state === "open") {
        this._connection.probe();
      } else if (sign === "offline") {
      } else if (this.state === "waiting") {
        const { until, loss, isAsked } = this._waiting;
        if (!isAsked && until - clock.now() > RESUME_SPREAD_MS) {
          this._wait(backoff.spreadMs(RESUME_SPREAD_MS), loss, false);
        }
      } else if (sign === "online" && this._connection) {
        this._drop();
        this._wait(backoff.spreadMs(RESUME_SPREAD_MS), { closeCode: 1006, reason: "the network has changed" }, false);
      }
    }
  };
  function noToken(error) {
    return new GroupcastError("no_token", "the token callback failed: " + (error?.message || error), true);
  }

  // src/reads.js
  var READS_MAX = 128;
  var Reads = class {
    // `writable()` is the connection to write to, or null if there is none.
    constructor(writable) {
      this._writable = writable;
      this._reads = /* @__PURE__ */ new Set();
    }
    /** Asks for `command`, and returns a promise of the reply. */
    read(command, signal) {
      return new Promise((resolve, reject) => {
        JSON.stringify(command);
        if (this._reads.size >= READS_MAX) {
          throw new GroupcastError("queue_full", READS_MAX + " reads wait already", true, command.group_id);
        }
        const read = { command, resolve, reject, endAbort: null };
        read.endAbort = watchAbort(signal, (reason) => {
          this._forget(read);
          reject(reason);
        });
        this._reads.add(read);
        this._write(read);
      });
    }
    onOpen() {
      for (const read of this._reads) this._write(read);
    }
    onEnd(errorOf) {
      for (const read of this._reads) {
        this._forget(read);
        read.reject(errorOf(read.command.group_id));
      }
    }
    _write(read) {
      const connection = this._writable();
      if (!connection) return;
      connection.ask(read.command, {
        onReply: (reply) => {
          this._forget(read);
          read.resolve(reply);
        },
        onError: (error) => {
          this._forget(read);
          error.groupId = read.command.group_id;
          read.reject(error);
        },
        onLost: () => {
        }
        // the next connection asks again
      });
    }
    _forget(read) {
      this._reads.delete(read);
      read.endAbort();
    }
  };

  // src/sends.js
  var REPEAT_SEND_MS = 75e3;
  var REPEAT_SEND_PAUSE_MAX_MS = 2e3;
  var NOT_DONE = ["unavailable", "rate_limited"];
  var SENDS_IN_FLIGHT_MAX = 1e3;
  var Send = class {
    constructor(commandId, groupId, text, { resolve, reject }) {
      this.commandId = commandId;
      this.groupId = groupId;
      this.text = text;
      this.bytes = utf8Length(text);
      this.resolve = resolve;
      this.reject = reject;
      this.ageMs = null;
      this.connection = null;
      this.mayBeDone = false;
      this.refusal = null;
      this.failures = 0;
      this.retryTimer = null;
      this.deadlineTimer = null;
      this.endAbort = null;
    }
  };
  var Sends = class {
    /**
     * @param {function(): Connection} writable the connection to write to; null if there is none
     * @param {Clock} clock
     * @param {Backoff} backoff
     * @param {function(): number} nextId
     * @param {string} keyPrefix different for each client of a session, also for one of an earlier run
     * @param {number} bytesMax
     */
    constructor(writable, clock, backoff, nextId, keyPrefix, bytesMax) {
      this._writable = writable;
      this._clock = clock;
      this._backoff = backoff;
      this._nextId = nextId;
      this._keyPrefix = keyPrefix;
      this._bytesMax = bytesMax;
      this._sends = /* @__PURE__ */ new Set();
      this._toWrite = /* @__PURE__ */ new Set();
      this._inFlight = 0;
      this._bytes = 0;
    }
    /** `json` is the message. */
    send(groupId, json, excludeSelf, signal) {
      return new Promise((resolve, reject) => {
        const commandId = this._nextId();
        const text = '{"cmd":"send_to_group","id":' + commandId + ',"group_id":' + JSON.stringify(groupId) + ',"key":"' + this._keyPrefix + commandId + '"' + (excludeSelf ? ',"exclude_self":true' : "") + ',"message":' + json + "}";
        const send = new Send(commandId, groupId, text, { resolve, reject });
        if (this._bytes + send.bytes > this._bytesMax) {
          throw new GroupcastError(
            "queue_full",
            "over " + this._bytesMax + " bytes of sends wait for an answer",
            true,
            groupId
          );
        }
        send.endAbort = watchAbort(signal, (reason) => {
          this._fail(send, reason);
          this._write();
        });
        this._sends.add(send);
        this._bytes += send.bytes;
        this._toWrite.add(send);
        this._write();
      });
    }
    // The server holds a send until the joins before it have their answers, so the client need not wait.
    onOpen() {
      this._toWrite = new Set(this._sends);
      this._write();
    }
    onEnd(errorOf) {
      for (const send of this._sends) this._fail(send, errorOf(send.groupId));
    }
    _write() {
      for (const send of this._toWrite) {
        const connection = this._writable();
        if (!connection || this._inFlight >= SENDS_IN_FLIGHT_MAX) return;
        this._toWrite.delete(send);
        this._writeOne(send, connection);
      }
    }
    // Also for a repeat: of a send to an earlier connection, or to this one, which postponed it.
    _writeOne(send, connection) {
      const { frameBytesMax } = connection;
      if (send.bytes > frameBytesMax) {
        this._fail(send, new GroupcastError(
          "message_too_large",
          "the command is over " + frameBytesMax + " bytes",
          false,
          send.groupId
        ));
        return;
      }
      if (send.ageMs === null) {
        send.ageMs = this._clock.stopwatch();
        send.deadlineTimer = this._clock.after(REPEAT_SEND_MS, () => {
          this._giveUp(send);
          this._write();
        });
      } else if (send.ageMs() >= REPEAT_SEND_MS) {
        this._giveUp(send);
        return;
      }
      this._clock.cancel(send.retryTimer);
      this._setConnection(send, connection);
      connection.write(send.commandId, send.text, {
        onReply: (reply) => {
          this._forget(send);
          send.resolve({ epoch: reply.epoch, offset: reply.offset });
          this._write();
        },
        onError: (error) => this._onRefused(send, error),
        onLost: () => {
          this._setConnection(send, null);
          send.mayBeDone = true;
        }
      });
    }
    _setConnection(send, connection) {
      this._inFlight += (connection ? 1 : 0) - (send.connection ? 1 : 0);
      send.connection = connection;
    }
    _onRefused(send, error) {
      this._setConnection(send, null);
      error.groupId = send.groupId;
      this._write();
      if (!error.retry) {
        this._fail(send, error);
        return;
      }
      if (!NOT_DONE.includes(error.code)) send.mayBeDone = true;
      send.refusal = error;
      send.retryTimer = this._clock.after(this._backoff.delayMs(send.failures++, REPEAT_SEND_PAUSE_MAX_MS), () => {
        this._toWrite.add(send);
        this._write();
      });
    }
    _giveUp(send) {
      this._fail(send, send.refusal);
    }
    // `error` is the reason if it is certain that no transmission counts or will count.
    _fail(send, error) {
      const mayBeDone = send.connection || send.mayBeDone;
      this._forget(send);
      send.reject(mayBeDone ? new GroupcastError(
        "outcome_unknown",
        "it may or may not have been sent",
        false,
        send.groupId
      ) : error);
    }
    _forget(send) {
      if (send.connection) send.connection.forget(send.commandId);
      this._setConnection(send, null);
      this._sends.delete(send);
      this._toWrite.delete(send);
      this._bytes -= send.bytes;
      this._clock.cancel(send.retryTimer);
      this._clock.cancel(send.deadlineTimer);
      send.endAbort();
    }
  };

  // src/session.js
  function adoptSession(url, session) {
    const [base] = url.split("#", 1);
    const [, query = ""] = base.split(/\?(.*)/s);
    const [inUrl, ...others] = new URLSearchParams(query).getAll("session");
    if (others.length > 0) throw new TypeError("the url has more than one session");
    if (inUrl !== void 0 && session !== void 0 && session !== inUrl) {
      throw new TypeError("the url has another session than the options");
    }
    const own = inUrl ?? (session === void 0 ? randomHex(16) : session);
    if (typeof own !== "string" || !/^[A-Za-z0-9_-]{1,64}$/.test(own)) {
      throw new TypeError("session must be 1 to 64 of A-Z, a-z, 0-9, _ and -");
    }
    if (inUrl !== void 0) return { session: own, address: base };
    return { session: own, address: base + (base.includes("?") ? "&" : "?") + "session=" + own };
  }
  function randomHex(bytes) {
    if (typeof crypto !== "object") {
      throw new GroupcastError("no_crypto", "no cryptographic random numbers here", false);
    }
    const values = crypto.getRandomValues(new Uint8Array(bytes));
    return Array.from(values, (value) => value.toString(16).padStart(2, "0")).join("");
  }

  // src/stream.js
  var WAITING_MAX = 1e3;
  var MessageStream = class {
    /**
     * @param {object} membership join(onMessage, options) and leave() of one group, as the client's; pause() and
     *     resume(); isWanted(error) says whether the application itself ended it
     * @param {object} options of join()
     */
    constructor(membership, options) {
      this._membership = membership;
      this._onGap = options.onGap;
      this._waiting = [];
      this._gap = null;
      this._taker = null;
      this._begun = false;
      this._end = null;
    }
    [Symbol.asyncIterator]() {
      return this;
    }
    async next() {
      if (this._waiting.length > 0) return { done: false, value: this._waiting.shift() };
      if (this._end) {
        if (this._end.error) {
          const { error } = this._end;
          this._end = {};
          throw error;
        }
        return { done: true, value: void 0 };
      }
      if (this._taker) throw new TypeError("next() waits already");
      return new Promise((resolve, reject) => {
        this._taker = { resolve, reject };
        if (this._begun) this._membership.resume();
        else this._join();
      });
    }
    async return(value) {
      if (!this._end) {
        this._finish({});
        if (this._begun) await this._membership.leave();
      }
      this._waiting = [];
      return { done: true, value };
    }
    async _join() {
      this._begun = true;
      const onEnd = (error) => this._finish(this._membership.isWanted(error) ? {} : { error });
      try {
        await this._membership.join(
          (message, info) => this._onMessage(message, info),
          { onGap: (gap) => this._onLoss(gap), onEnd }
        );
      } catch (error) {
        onEnd(error);
      }
    }
    _onLoss(gap) {
      this._gap = this._gap ? { ...gap, from: this._gap.from } : gap;
      if (this._onGap) this._onGap(gap);
    }
    _onMessage(message, info) {
      const item = { message, gap: this._gap, ...info };
      this._gap = null;
      if (this._taker) {
        const { resolve } = this._taker;
        this._taker = null;
        resolve({ done: false, value: item });
        return;
      }
      this._waiting.push(item);
      if (this._waiting.length >= WAITING_MAX) this._membership.pause();
    }
    _finish(end) {
      if (this._end) return;
      this._end = end;
      const taker = this._taker;
      this._taker = null;
      if (!taker) return;
      this._end = {};
      if (end.error) taker.reject(end.error);
      else taker.resolve({ done: true, value: void 0 });
    }
  };

  // src/client.js
  var ENDS_CONNECTION = ["unauthorized", "token_expired", "too_many_connections"];
  var Client = class {
    constructor(url, options = {}) {
      this.url = String(url);
      const socketClass = options.WebSocket || (typeof WebSocket === "function" ? WebSocket : null);
      if (!socketClass) {
        throw new GroupcastError(
          "no_websocket",
          'no WebSocket here: pass {WebSocket: require("ws")}',
          false
        );
      }
      const { session, address } = adoptSession(this.url, options.session);
      this.session = session;
      this._error = null;
      this._listeners = { __proto__: null, state: /* @__PURE__ */ new Set(), error: /* @__PURE__ */ new Set() };
      let lastId = 0;
      const nextId = () => ++lastId;
      const clock = this._clock = new Clock(options.timers);
      const backoff = new Backoff(
        positiveOr(options.backoffBaseMs, 100),
        positiveOr(options.backoffCapMs, 1e4),
        options.random || Math.random
      );
      const writable = () => this._link.writable;
      this._groups = new Groups(
        writable,
        clock,
        backoff,
        (callback) => this._call(callback),
        (error) => this._reportError(error)
      );
      this._sends = new Sends(
        writable,
        clock,
        backoff,
        nextId,
        randomHex(8) + "-",
        positiveOr(options.sendQueueBytesMax, 1024 * 1024)
      );
      this._reads = new Reads(writable);
      this._rooms = [this._groups, this._sends, this._reads];
      const endAbort = watchAbort(options.signal, () => this.close());
      this._endAbort = endAbort;
      try {
        this._link = new Link({
          address,
          clock,
          nextId,
          backoff,
          token: options.token,
          WebSocket: socketClass,
          scope: options.scope || globalThis
        }, {
          onOpen: () => {
            for (const room of this._rooms) room.onOpen();
          },
          onEvent: (event) => this._onEvent(event),
          onLost: () => this._groups.onLost(),
          onRefused: (error, detail) => {
            this._end(error, detail);
            this._reportError(error);
          },
          onState: (state, detail) => this._emit("state", { state, ...detail }),
          onTokenError: (error) => this._reportError(error)
        });
      } catch (error) {
        endAbort();
        throw error;
      }
    }
    get state() {
      return this._link.state;
    }
    on(event, listener) {
      if (!this._listeners[event]) throw new TypeError("no such event: " + event);
      this._listeners[event].add(listener);
      return () => this._listeners[event].delete(listener);
    }
    join(groupId, onMessage, options = {}) {
      return this._answer(() => this._join(groupId, onMessage, options));
    }
    leave(groupId) {
      return this._answer(() => this._leave(toGroupId(groupId)));
    }
    send(groupId, message, { excludeSelf = false, signal } = {}) {
      return this._answer(() => {
        const id = toGroupId(groupId);
        return this._sends.send(id, toMessageJson(message, id), excludeSelf, signal);
      }, true);
    }
    history(groupId, { since, limit, signal } = {}) {
      return this._answer(() => {
        const id = toGroupId(groupId);
        const command = { cmd: "group_history", group_id: id, limit };
        const from = toPosition(since);
        if (from !== null) command.since = from;
        return this._reads.read(command, signal).then((reply) => toHistory(id, reply));
      });
    }
    members(groupId, { limit, after, countOnly, signal } = {}) {
      return this._answer(() => {
        const id = toGroupId(groupId);
        const command = { cmd: "group_members", group_id: id, limit, after, count_only: countOnly };
        return this._reads.read(command, signal).then(({ count, members = [], next }) => ({ groupId: id, count, members: members.map(toMember), next }));
      });
    }
    group(groupId, options = {}) {
      this._requireNotClosed();
      const id = toGroupId(groupId);
      return new MessageStream({
        join: (onMessage, more) => this._join(id, onMessage, { ...options, ...more }, true),
        pause: () => this._groups.pause(id),
        resume: () => this._groups.resume(id),
        leave: () => this._leave(id),
        isWanted: ({ code }) => code === "left" || code === "closed"
      }, options);
    }
    reconnect() {
      this._requireNotClosed();
      this._link.reconnect();
    }
    close() {
      this._end(new GroupcastError("closed", "closed by close()", false), {});
    }
    _join(groupId, onMessage, options, isLoop = false) {
      this._requireNotClosed();
      const { since, history = null, signal } = options;
      const id = toGroupId(groupId);
      if (typeof onMessage !== "function") throw new TypeError("onMessage must be a function");
      const from = toPosition(since);
      if (from !== null && history !== null) throw new TypeError("either since or history, not both");
      if (history !== null && !Number.isSafeInteger(history)) throw new TypeError("history must be an integer");
      const other = this._groups.get(id);
      if (other && (isLoop || other.isLoop)) throw new TypeError("a loop needs the group alone");
      const endAbort = watchAbort(signal, (reason) => this._groups.leave(id, reason).catch(() => {
      }));
      const { group, joined } = this._groups.join(id, { ...options, onMessage }, { since: from, history, isLoop });
      group.endAbort();
      group.endAbort = endAbort;
      return joined;
    }
    _leave(id) {
      return this._groups.leave(id, new GroupcastError("left", "the group was left", false, id));
    }
    // `isSend`: that nothing was sent is worth telling, also if the application itself closed the client.
    _answer(work, isSend = false) {
      return answer(this._clock, () => {
        this._requireNotClosed();
        return work();
      }, (error) => {
        if (!(error instanceof GroupcastError)) return;
        const isKnown = error.code === "left" || error.code === "refused" || error.code === "closed" && !isSend;
        if (!isKnown) this._reportError(error);
      });
    }
    _onEvent(event) {
      if (this._groups.onEvent(event)) return;
      if (event.event === null) {
        this._reportError(new GroupcastError("bad_json", "the server sent something that is no event", false));
      } else if (event.event === "error") {
        const isExpiry = event.code === "token_expired" && event.cmd === "authenticate";
        if (isExpiry && this._link.canRefresh) {
          this._link.refreshToken();
        } else if (event.cmd !== void 0 || !ENDS_CONNECTION.includes(event.code)) {
          this._reportError(toError(event));
        }
      }
    }
    _end(error, detail) {
      if (this._error) return;
      this._error = error;
      this._endAbort();
      this._link.close();
      for (const room of this._rooms) room.onEnd((groupId) => this._endOf(groupId));
      this._emit("state", { state: "closed", ...detail });
    }
    _endOf(groupId) {
      return new GroupcastError(this._error.code, this._error.message, false, groupId);
    }
    _requireNotClosed() {
      if (this._error) throw this._endOf();
    }
    _reportError(error) {
      if (this._listeners.error.size > 0) {
        this._emit("error", error);
      } else {
        console.error("groupcast: " + error.code + ": " + error.message);
      }
    }
    _emit(event, value) {
      for (const listener of [...this._listeners[event]]) this._call(() => listener(value));
    }
    // An error that a callback throws belongs to the application. It goes to the handler of uncaught errors, and does
    // not stop this client.
    _call(callback) {
      try {
        callback();
      } catch (error) {
        this._clock.after(0, () => {
          throw error;
        });
      }
    }
  };
  function toHistory(groupId, { epoch, offset, recovered, messages }) {
    const shown = Array.isArray(messages) ? messages.filter((message) => message.excluded !== true) : [];
    return {
      groupId,
      epoch,
      offset,
      recovered: recovered === true,
      messages: shown.map((message) => ({ message: message.message, groupId, epoch, offset: message.offset, sentAt: message.sent_at }))
    };
  }

  // src/script.js
  target.Client = Client;
  target.GroupcastError = GroupcastError;
})();
})(
  typeof module === 'object' && module.exports ? module.exports : (globalThis.groupcast = {}),
  globalThis.crypto || (typeof require === 'function' ? require('node:crypto').webcrypto : undefined));
