'use strict';

// What the browser tests share: the real services on free ports, and a headless Chromium. Everything that was
// started ends with cleanUp(), which every test calls after itself, passed or failed.

const assert = require('node:assert/strict');
const child_process = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');

const CHROMIUM = '/usr/bin/chromium';
const START_TIMEOUT_MS = 20000;
const STOP_TIMEOUT_MS = 15000;

// Node looks for node_modules next to this file's real place, which is the source folder, also under Bazel.
function requireInstalled(name) {
  try {
    return require(name);
  } catch (error) {
    if (error.code !== 'MODULE_NOT_FOUND') throw error;
    console.error(`The npm package ${name} is not installed in tests/browser: run tools/test, which installs it.`);
    return process.exit(1);
  }
}

// Files that the BUILD file hands over as --name=path.
function argument(name) {
  const prefix = `--${name}=`;
  const found = process.argv.find((value) => value.startsWith(prefix));
  assert.ok(found, `no ${prefix}PATH on the command line`);
  return path.resolve(found.slice(prefix.length));
}

// Runs `check` until what it returns is truthy, and returns that.
async function until(what, check, timeoutMs = START_TIMEOUT_MS) {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const running = new Set();  // Service
const proxies = new Set();  // Proxy
let folder = null;          // logs, ready files, and a home for Chromium
let browser = null;

function temporaryFolder() {
  if (folder === null) {
    folder = fs.mkdtempSync(path.join(process.env.TEST_TMPDIR || os.tmpdir(), 'groupcast-'));
  }
  return folder;
}

/** One process of ours. `port` is what its ready file says. */
class Service {
  static async start(binary, flags) {
    const service = new Service();
    service.name = path.basename(binary);
    const unique = `${service.name}.${Date.now()}.${running.size}`;
    const readyFile = path.join(temporaryFolder(), unique + '.ready');
    service.log = path.join(temporaryFolder(), unique + '.log');
    const log = fs.openSync(service.log, 'w');
    service.process = child_process.spawn(binary, [...flags, `--ready_file=${readyFile}`],
        {stdio: ['ignore', log, log]});
    fs.closeSync(log);
    let failure = null;
    service.exited = new Promise((resolve) => {
      service.process.once('error', (error) => { failure = error; resolve(); });
      service.process.once('exit', (code, signal) => {
        failure = new Error(`${service.name} ended: ${signal || 'exit code ' + code}`);
        resolve();
      });
    });
    running.add(service);
    await until(`${service.name} is ready`, () => {
      if (failure) throw failure;
      return fs.existsSync(readyFile);
    });
    const ports = JSON.parse(fs.readFileSync(readyFile, 'utf8'));
    service.port = ports.port;
    service.adminPort = ports.admin_port;
    return service;
  }

  get pid() {
    return this.process.pid;
  }

  /** Pids of the worker processes, without the one of the admin port. */
  workers() {
    const children = fs.readFileSync(`/proc/${this.pid}/task/${this.pid}/children`, 'utf8').trim().split(/\s+/);
    return children.filter((pid) => fs.readFileSync(`/proc/${pid}/comm`, 'utf8').trim() !== 'groupcast_admin')
        .map(Number);
  }

  async stop() {
    const kill = setTimeout(() => this.process.kill('SIGKILL'), STOP_TIMEOUT_MS);
    this.process.kill('SIGTERM');
    await this.exited;
    clearTimeout(kill);
    running.delete(this);
  }

  /** kill -9. The kernel ends the workers of a supervisor that dies so. */
  async kill() {
    this.process.kill('SIGKILL');
    await this.exited;
    running.delete(this);
  }
}

function startChannelServer(flags = []) {
  return Service.start(argument('channel_server'), ['--port=0', ...flags]);
}

// The pages under Bazel's runfiles are links; a server of files need not follow links out of its folder.
function samplePages() {
  return path.dirname(fs.realpathSync(argument('index')));
}

/** Port 0 takes a free one. */
function startWebSocketService(channelServer, port = 0, pages = samplePages(), flags = []) {
  return Service.start(argument('websocket_service'), [
    `--port=${port}`, '--admin_port=0', '--workers=4', `--channel=127.0.0.1:${channelServer.port}`, `--pages=${pages}`,
    ...flags,
  ]);
}

/**
 * A TCP proxy to a port, which stands for the network. Nobody is told what it does to connections: no FIN, no RST.
 *
 * swallow() makes it take and not hand on what comes on the connections of now, as a way that is gone does. Further
 * connections work.
 * breakDown(loses) makes the whole network silent until restore(), also for further connections. If it loses, what
 * comes meanwhile is gone, and the connections of this time never work again. Otherwise it all arrives late.
 */
class Proxy {
  static async start(port) {
    const proxy = new Proxy();
    proxy.target = port;  // of further connections
    proxy.sockets = new Set();
    proxy.silence = null;  // {loses, waiting} while the network is silent; `waiting` are further connections
    proxy.server = net.createServer((client) => proxy._accept(client));
    await new Promise((resolve) => proxy.server.listen(0, '127.0.0.1', resolve));
    proxies.add(proxy);
    return proxy;
  }

  get port() {
    return this.server.address().port;
  }

  swallow() {
    for (const socket of this.sockets) socket.isSwallowed = true;
  }

  breakDown(loses) {
    this.silence = {loses, waiting: []};
    if (loses) this.swallow(); else for (const socket of this.sockets) socket.pause();
  }

  restore() {
    const {waiting} = this.silence;
    this.silence = null;
    for (const socket of this.sockets) socket.resume();
    for (const client of waiting) this._connect(client);
  }

  async stop() {
    if (!proxies.delete(this)) return null;
    for (const socket of this.sockets) socket.destroy();
    return new Promise((resolve) => this.server.close(resolve));
  }

  _accept(client) {
    this.sockets.add(client);
    client.on('error', () => {});
    client.on('close', () => this.sockets.delete(client));
    if (!this.silence) {
      this._connect(client);
    } else if (this.silence.loses) {
      client.resume();  // nobody reads what it takes
    } else {
      client.pause();
      this.silence.waiting.push(client);
    }
  }

  _connect(client) {
    const server = net.connect(this.target, '127.0.0.1');
    this.sockets.add(server);
    server.on('error', () => {});
    server.on('close', () => this.sockets.delete(server));
    for (const [from, to] of [[client, server], [server, client]]) {
      from.on('data', (bytes) => from.isSwallowed || to.write(bytes));
      from.on('close', () => from.isSwallowed || to.destroy());
    }
  }
}

function startHttpGateway(channelServer, flags = []) {
  return Service.start(argument('http_gateway'), ['--port=0', '--admin_port=0', `--channel=127.0.0.1:${channelServer.port}`, ...flags]);
}

async function startBrowser() {
  const {chromium} = requireInstalled('playwright-core');
  if (!fs.existsSync(CHROMIUM)) {
    console.error(`${CHROMIUM} is not installed: run tools/test, which installs it.`);
    process.exit(1);
  }
  // A user-data-dir of its own comes with each launch.
  browser = await chromium.launch({
    executablePath: CHROMIUM,
    headless: true,
    env: Object.assign({}, process.env, {HOME: temporaryFolder()}),
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync',
    ],
  });
  return browser;
}

/** Saves what the page looks like, for people to look at. */
async function screenshot(page, name) {
  const to = process.env.TEST_UNDECLARED_OUTPUTS_DIR || path.join(os.tmpdir(), 'groupcast-screenshots');
  fs.mkdirSync(to, {recursive: true});
  await page.screenshot({path: path.join(to, name + '.png')});
}

async function cleanUp() {
  if (browser) await browser.close();
  browser = null;
  await Promise.all(Array.from(proxies, (proxy) => proxy.stop()));
  const services = Array.from(running);
  await Promise.all(services.map((service) => service.stop()));
  if (folder) fs.rmSync(folder, {recursive: true, force: true});
  folder = null;
}

/** For a test that failed: what the services had to say. */
function printLogs() {
  for (const name of folder ? fs.readdirSync(folder) : []) {
    if (!name.endsWith('.log')) continue;
    console.error(`---- ${name}\n${fs.readFileSync(path.join(folder, name), 'utf8')}`);
  }
}

/** The body of a test: prints the logs if it fails, and cleans up either way. */
function withCleanUp(body) {
  return async () => {
    try {
      await body();
    } catch (error) {
      printLogs();
      throw error;
    } finally {
      await cleanUp();
    }
  };
}

// Bazel ends a test that takes too long with SIGTERM.
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => {
    printLogs();
    cleanUp().finally(() => process.exit(1));
  });
}

module.exports = {
  Proxy, Service, argument, printLogs, requireInstalled, screenshot, startBrowser, startChannelServer, startHttpGateway,
  startWebSocketService, temporaryFolder, until, withCleanUp,
};
