'use strict';

// A driver's process, as the scenarios use it: commands in, events out.

const assert = require('node:assert/strict');
const child_process = require('node:child_process');
const readline = require('node:readline');
const harness = require('../browser/harness.js');

const PATIENCE_MS = 60000;  // far longer than it takes, for busy machines

const running = new Set();
let eventCount = 0;  // of all drivers

/** A client of the SDK under test. README.md has its commands and events. */
class Driver {
  /**
   * @param {string[]} command that starts the program
   * @param {string} name of its sends
   */
  constructor(command, name, environment = {}) {
    this.name = name;
    this.events = [];
    this.asked = [];     // the texts that it was told to send
    this.sent = 0;
    this.end = null;     // {code, signal}
    this.stderr = '';
    const [program, ...args] = command;
    this.process = child_process.spawn(program, args, {env: {...process.env, ...environment}});
    readline.createInterface({input: this.process.stdout}).on('line', (line) => this._onLine(line));
    this.process.stderr.on('data', (bytes) => { this.stderr += bytes; });
    this.process.stdin.on('error', () => {});  // it has ended
    this.process.once('error', (error) => { this.stderr += error; });
    this.process.once('close', (code, signal) => {
      this.end = {code, signal};
      running.delete(this);
    });
    running.add(this);
  }

  tell(command) {
    this.process.stdin.write(JSON.stringify(command) + '\n');
  }

  /** `newToken` gives the tokens that the client asks for. */
  connect(port, {newToken, ...options} = {}) {
    this.newToken = newToken;
    this.tell({do: 'connect', url: `ws://127.0.0.1:${port}`, tokens: Boolean(newToken), queue_bytes: 16 << 20, ...options});
  }

  async join(group = 'g') {
    this.tell({do: 'join', group});
    await this.until('joined', () => this.all('joined').length > 0);
  }

  send(count, group = 'g') {
    for (let n = this.sent; n < this.sent + count; ++n) this.asked.push(`${this.name} ${n}`);
    this.tell({do: 'send', group, name: this.name, from: this.sent, count});
    this.sent += count;
  }

  async plan(event, then, more = {}) {
    this.tell({do: 'plan', event, then, ...more});
    await this.until('it has the plan', () => this.all('planned').length > 0);
  }

  all(event) {
    return this.events.filter((one) => one.event === event);
  }

  get states() {
    return this.all('state').map(({state}) => state);
  }

  get answers() {
    return this.events.filter(({event}) => event === 'sent' || event === 'not_sent');
  }

  /** Waits until `check` holds. Fails at once if the driver ends before. */
  async until(what, check) {
    try {
      await harness.until(`${this.name}: ${what}`, () => {
        if (check()) return true;
        assert.equal(this.end, null, `${this.name} has ended: ${this.stderr}`);
        return false;
      }, PATIENCE_MS);
    } catch (error) {
      error.message += `\nThe last events of ${this.name}: ${JSON.stringify(this.events.slice(-5), null, 1)}`;
      throw error;
    }
  }

  answered() {
    return this.until('all sends have answers', () => this.answers.length >= this.asked.length);
  }

  /** The end of input is the end of a program whose client is closed. */
  async finish() {
    if (this.all('closed').length === 0) this.tell({do: 'close'});
    this.process.stdin.end();
    await harness.until(`${this.name} ends`, () => this.end);
    assert.deepEqual(this.end, {code: 0, signal: null}, this.stderr);
  }

  _onLine(line) {
    const event = {...JSON.parse(line), number: ++eventCount};
    this.events.push(event);
    if (event.event === 'token_wanted') this.tell({do: 'token', token: this.newToken()});
  }
}

async function killDrivers() {
  for (const {process} of running) process.kill('SIGKILL');
  await harness.until('all drivers have ended', () => running.size === 0);
}

module.exports = {Driver, killDrivers};
