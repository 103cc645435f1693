'use strict';

// Follows a page literally, as a newcomer would: in an empty home with a clone of the project in ~/groupcast.

const assert = require('node:assert/strict');
const child_process = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const harness = require('../browser/harness.js');
const {outputPattern} = require('./snippets.js');

const {startChannelServer, startHttpGateway, startWebSocketService, temporaryFolder, until} = harness;

const PATIENCE_MS = 600000;  // a build of the C++ client; Bazel's own limit for a test is shorter for other pages

// How a whole program of a language is run.
const PROGRAMS = {
  '.mjs': (file) => `node ${file}`,
  '.cjs': (file) => `node ${file}`,
  '.ts': (file) => `npx tsc --noEmit --strict --target es2022 --module esnext --moduleResolution bundler ${file}`,
  '.sh': (file) => `bash -e ${file}`,
  '.php': (file) => `php ${file}`,
  '.cc': (file) => 'export PKG_CONFIG_PATH="$HOME/.local/lib/pkgconfig"; ' +
      `g++ -std=c++20 -o part ${file} $(pkg-config --cflags --libs groupcast) -lgtest_main -lgtest && ./part`,
};

class Reader {
  constructor(root) {
    this.root = root;
    this.home = path.join(temporaryFolder(), 'home');
    this.folder = path.join(this.home, 'my_program');
    fs.mkdirSync(this.folder, {recursive: true});
    fs.symlinkSync(root, path.join(this.home, 'groupcast'));
    this.services = null;
    this.terminals = new Map();  // name → Terminal
    this.pages = new Map();      // name → Tab
    this.output = null;          // of the last block that ran to its end
  }

  /** Takes a step of the page, or throws. */
  async follow(step) {
    const act = {
      'services': () => this.startServices(step.code),
      'install': () => this.install(step.code),
      'file': () => this.write(step.name, step.code),
      'run': () => this.run(step.code),
      'start': () => this.start(step.name, step.code),
      'type': () => (this.pages.get(step.name) || this.terminal(step.name)).type(step.code),
      'around': () => this.runPart(step),
      'console': () => this.paste(step.name, step.code),
      'prints': () => this.expect(step.name, step.code),
      'after': () => this.prepare(step.name),
      'open': () => this.open(step.name, 'file://' + path.join(this.folder, step.name)),
      'joined': () => this.awaitMember(step.name),
      'stop': () => this.terminal(step.name).stop(),
      'restart': () => this.restartServices(),
      'shown': () => {},
      'theirs': () => {},
      'by hand': () => {},
    }[step.kind];
    await act();
    for (const [name, terminal] of this.terminals) {
      assert.equal(terminal.failure, null, `${name} has ended: ${terminal.failure}\n${terminal.output}`);
    }
  }

  /** What other pages have told the reader to do. */
  async prepare(what) {
    assert.ok(['cmake', 'node', 'services'].includes(what), `after: ${what}`);
    if (this.services === null) await this.startOn({channel: 0, webSocket: 0, gateway: 0}, []);
    if (what === 'cmake') this.install('tools/install --prefix="$HOME/.local"');
    if (what === 'node') {
      this.run('cd ~/groupcast/sdk/js && node build.js --out="$HOME/groupcast-js"');
      this.run('npm init -y && npm install ~/groupcast-js ws typescript && cp ~/groupcast-js/groupcast.js .');
    }
  }

  /** The text with the ports of this reader's services. */
  real(text) {
    if (this.services === null) return text;
    return text.replaceAll('127.0.0.1:1234', `127.0.0.1:${this.services.webSocket.port}`)
        .replaceAll('127.0.0.1:8080', `127.0.0.1:${this.services.gateway.port}`);
  }

  async startServices(code) {
    const line = code.split('\n').filter((each) => /\btools\/up\b/.test(each));
    assert.equal(line.length, 1, 'one line with tools/up');
    const flags = line[0].replace(/#.*/, '').split('tools/up')[1].trim().split(/\s+/).filter(Boolean);
    const real = flags.map((flag) => flag.replaceAll('"', '').replace('$HOME', this.home));
    for (const flag of real) assert.ok(flag.startsWith('--config='), `tools/up takes ${flag}; this test does not`);
    await this.startOn({channel: 0, webSocket: 0, gateway: 0}, real);
  }

  async startOn(ports, flags) {
    const dataDirectory = path.join(this.home, 'data');
    const channelServer = await startChannelServer([...flags, `--port=${ports.channel}`, `--data_dir=${dataDirectory}`]);
    const webSocket = await startWebSocketService(channelServer, ports.webSocket, undefined, flags);
    const gateway = await startHttpGateway(channelServer, [...flags, `--port=${ports.gateway}`]);
    this.services = {channelServer, webSocket, gateway, flags};
  }

  /** Ctrl-C in the terminal of tools/up, and tools/up again. */
  async restartServices() {
    const {channelServer, webSocket, gateway, flags} = this.services;
    for (const service of [gateway, webSocket, channelServer]) await service.stop();
    await this.startOn({channel: channelServer.port, webSocket: webSocket.port, gateway: gateway.port}, flags);
  }

  write(name, text) {
    const file = path.join(this.folder, name);
    fs.mkdirSync(path.dirname(file), {recursive: true});
    fs.writeFileSync(file, this.real(text));
  }

  environment() {
    return {
      ...process.env,
      HOME: this.home,
      // npm without a network: it takes the packages of the lock files.
      PATH: [path.join(this.root, 'tests/documents/bin'), path.dirname(harness.argument('groupcast')), process.env.PATH]
          .join(':'),
      // What the command line takes for the defaults of its services.
      GROUPCAST_URL: this.real('ws://127.0.0.1:1234'),
      GROUPCAST_GATEWAY: this.real('http://127.0.0.1:8080'),
      GROUPCAST_ROOT: this.root,
      npm_config_cache: path.join(this.home, '.npm'),
      npm_config_update_notifier: 'false',
      NO_COLOR: '1',
    };
  }

  // tools/install cannot run here, because it calls Bazel for this checkout, which is busy with this test.
  install(code) {
    const line = code.split('\n').filter((each) => each.includes('tools/install'));
    assert.deepEqual(line.map((each) => each.split('tools/install')[1].trim()), ['--prefix="$HOME/.local"']);
    const prefix = path.join(this.home, '.local');
    fs.mkdirSync(prefix, {recursive: true});
    child_process.execFileSync('tar', ['-xf', harness.argument('installed_sdk'), '-C', prefix]);
  }

  run(code) {
    const {status, stdout, stderr, error} = child_process.spawnSync('bash', ['-e', '-o', 'pipefail', '-c', this.real(code)], {
      cwd: this.folder, encoding: 'utf8', env: this.environment(), timeout: PATIENCE_MS,
    });
    assert.equal(status, 0, `${code}\n${stdout}${stderr}${error || ''}`);
    this.output = stdout + stderr;
  }

  runPart({name, rest, code}) {
    const parts = rest.split(/^@@$/m);
    assert.equal(parts.length, 2, 'one line @@ for the block');
    this.write(name, parts[0] + code + parts[1]);
    const program = PROGRAMS[path.extname(name)];
    assert.ok(program, `how to run ${name}`);
    this.run(program(name));
  }

  start(name, code) {
    assert.ok(!this.terminals.has(name), `there is a terminal ${name}`);
    this.terminals.set(name, new Terminal(this.real(code), {cwd: this.folder, env: this.environment()}));
  }

  terminal(name) {
    assert.ok(this.terminals.has(name), `there is no terminal ${name}`);
    return this.terminals.get(name);
  }

  async expect(name, text) {
    const expected = this.real(text);
    if (name === undefined) {
      assert.match(this.output.trim() + '\n', new RegExp(`^${outputPattern(expected)}$`), 'the whole output');
      return;
    }
    const shown = this.pages.get(name) || this.terminal(name);
    await shown.expect(new RegExp(`(?<=^|\\n)${outputPattern(expected)}`), expected);
  }

  async awaitMember(group) {
    const url = this.real(`http://127.0.0.1:8080/v1/groups/${encodeURIComponent(group)}/members?count_only=true`);
    await until(`somebody is in ${group}`, async () => (await (await fetch(url)).json()).count > 0);
  }

  async open(name, url) {
    if (!this.browser) this.browser = await harness.startBrowser();
    const tab = new Tab(await this.browser.newPage());
    this.pages.set(name, tab);
    await tab.page.goto(url);
    return tab;
  }

  async paste(url, code) {
    const tab = await this.open(url, this.real(url));
    tab.showsConsole = true;
    await tab.page.evaluate(this.real(code));
  }

  async leave() {
    for (const terminal of this.terminals.values()) await terminal.stop();
  }
}

/** A terminal in which something runs until Ctrl-C. */
class Terminal {
  constructor(code, options) {
    this.output = '';
    this.seen = 0;        // the output before this was expected already
    this.failure = null;  // how it ended by itself
    // A group of its own: Ctrl-C goes to all that the lines have started.
    this.process = child_process.spawn('bash', ['-e', '-c', code], {...options, detached: true});
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => { this.output += text; });
    }
    this.ended = new Promise((resolve) => this.process.once('close', (status, signal) => {
      if (!this.stopped && status !== 0) this.failure = signal || `exit code ${status}`;
      resolve();
    }));
  }

  type(text) {
    this.process.stdin.write(text);
  }

  async expect(pattern, text) {
    let match = null;
    await until(`output of the terminal:\n${text}\nBut it is:\n${this.output}`, () => {
      if (this.failure) throw new Error(`it has ended: ${this.failure}\n${this.output}`);
      match = this.output.slice(this.seen).match(pattern);
      return match;
    }).catch((error) => { throw new Error(`${error.message}\nat last:\n${this.output}`); });
    this.seen += match.index + match[0].length;
  }

  async stop() {
    this.stopped = true;
    if (this.process.exitCode === null && this.process.signalCode === null) process.kill(-this.process.pid, 'SIGINT');
    const kill = setTimeout(() => process.kill(-this.process.pid, 'SIGKILL'), 10000);
    await this.ended;
    clearTimeout(kill);
  }
}

/** A page in the browser. */
class Tab {
  constructor(page) {
    this.page = page;
    this.console = '';
    this.showsConsole = false;
    page.on('console', (message) => { this.console += message.text() + '\n'; });
    page.on('pageerror', (error) => { this.console += error + '\n'; });
  }

  async type(text) {
    const field = this.page.locator('input').first();
    await field.fill(text.trim());
    await field.press('Enter');
  }

  async expect(pattern, text) {
    let shown = '';
    await until(text, async () => {
      shown = this.showsConsole ? '' : await this.page.evaluate('document.body.innerText') + '\n';
      return pattern.test(shown) || pattern.test(this.console);
    }).catch(() => { throw new Error(`The page should show\n${text}\nIt shows\n${shown}\nIts console:\n${this.console}`); });
  }
}

module.exports = {Reader};
