// A program on the JavaScript SDK that does what the lines of its input say, and prints what happens. README.md has
// these lines. It runs in Node, Deno and Bun.
//
//   driver.mjs --groupcast=FILE [--websocket=FILE]
//
// --websocket is npm's ws; without it the SDK takes the WebSocket of the runtime.

import process from 'node:process';
import readline from 'node:readline';
import {pathToFileURL} from 'node:url';

function argument(name) {
  const prefix = `--${name}=`;
  return process.argv.find((value) => value.startsWith(prefix))?.slice(prefix.length);
}

const sdk = await import(pathToFileURL(argument('groupcast')));
const {Client} = sdk.Client ? sdk : sdk.default;  // an ES module, or a CommonJS one
const WebSocket = argument('websocket') && (await import(pathToFileURL(argument('websocket')))).default;

let client = null;
let token = null;   // resolves the promise of the token callback
let plan = null;    // what to do in the next callback of a kind

// Output is written at once: a driver that is killed or blocked has told all until then.
function print(event) {
  process.stdout.write(JSON.stringify(event) + '\n');
}

// The clocks of a client that lives `speed` times as fast.
function fastTimers(speed) {
  return {
    setTimeout: (callback, ms) => setTimeout(callback, ms / speed),
    clearTimeout: (timer) => clearTimeout(timer),
    now: () => performance.now() * speed,
    wallNow: () => Date.now() * speed,
  };
}

const ACTIONS = {
  close: () => commands.close(),
  leave: ({group}) => client.leave(group),
  send: ({group, text_to_send: text}) => sendOne(group, text),
  reconnect: () => client.reconnect(),
  block: ({ms}) => {
    const end = performance.now() + ms;
    while (performance.now() < end);
  },
};

function onCallback(event) {
  if (plan?.event !== event.event || (plan.text !== undefined && plan.text !== event.text)) return;
  const {then, ...more} = plan;
  plan = null;
  print({event: 'does', what: then});
  ACTIONS[then]({group: event.group, ...more});
}

function tell(event) {
  print(event);
  onCallback(event);
}

function sendOne(group, text) {
  client.send(group, text).then(
      ({epoch, offset}) => tell({event: 'sent', group, text, epoch, offset}),
      ({code}) => tell({event: 'not_sent', group, text, code}));
}

const commands = {
  connect({url, speed, tokens, queue_bytes: sendQueueBytesMax}) {
    client = new Client(url, {
      WebSocket, sendQueueBytesMax,
      token: tokens && (() => new Promise((resolve) => {
        token = resolve;
        print({event: 'token_wanted'});
      })),
      timers: speed && fastTimers(speed),
    });
    client.on('state', ({state, closeCode}) => tell({event: 'state', state, code: closeCode}));
    client.on('error', ({code}) => print({event: 'error', code}));
  },
  token({token: text}) {
    token(text);
  },
  join({group, since}) {
    client.join(group, (text, {epoch, offset}) => tell({event: 'message', group, epoch, offset, text}), {
      since,
      onGap: ({epoch, from, to}) => tell({event: 'gap', group, epoch, from, to}),
      onRecovered: ({epoch, offset}) => tell({event: 'rejoined', group, epoch, offset}),
    }).then(
        ({epoch, offset}) => tell({event: 'joined', group, epoch, offset}),
        ({code}) => tell({event: 'not_joined', group, code}));
  },
  leave({group}) {
    client.leave(group);
  },
  send({group, name, from, count}) {
    for (let n = from; n < from + count; ++n) sendOne(group, `${name} ${n}`);
  },
  plan(next) {
    plan = next;
    print({event: 'planned'});
  },
  clock() {
    print({event: 'clock', wall_ms: Date.now()});
  },
  reconnect() {
    client.reconnect();
  },
  close() {
    client.close();
    print({event: 'closed'});
  },
  // Clients that end while they connect. The pauses before their ends differ.
  async churn({url, count}) {
    for (let n = 0; n < count; ++n) {
      const one = new Client(url, {WebSocket});
      one.join('churn', () => {}).catch(() => {});
      one.send('churn', 'x').catch(() => {});
      if (n % 3 > 0) await new Promise((resolve) => setTimeout(resolve, n % 5));
      one.close();
    }
    print({event: 'churned'});
  },
};

// The program ends when its input does and its client is closed: nothing else may keep it.
for await (const line of readline.createInterface({input: process.stdin})) {
  const {do: name, ...more} = JSON.parse(line);
  commands[name](more);
}
