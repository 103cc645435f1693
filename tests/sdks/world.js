'use strict';

// What the scenarios run in: the real services, a network between them and the clients, and clients of one SDK.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const harness = require('../browser/harness.js');
const {Driver, killDrivers} = require('./driver.js');
const {Journal, judge} = require('./judge.js');

const {Proxy, Service, argument} = harness;

// The highest offset of the newest epoch.
function newestPlace(answers) {
  const {epoch} = answers.reduce((x, y) => (y.number > x.number ? y : x));
  return answers.filter((answer) => answer.epoch === epoch).reduce((x, y) => (y.offset > x.offset ? y : x));
}

class World {
  /** `sdk`: an entry of sdks.js. */
  static async start(sdk, {hasDataDir = false, channelFlags = [], serviceFlags = []} = {}) {
    const world = new World();
    world.sdk = sdk;
    world.drivers = [];
    // A Unix socket needs a short path.
    world.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'gc-'));
    world._channelFlags = [...channelFlags, ...(hasDataDir ? [`--data_dir=${world.folder}/data`] : [])];
    world._serviceFlags = typeof serviceFlags === 'function' ? serviceFlags() : serviceFlags;
    if (hasDataDir) fs.mkdirSync(path.join(world.folder, 'data'));
    await world.startChannelServer();
    await world.startService();
    world.network = await Proxy.start(world.service.port);
    return world;
  }

  async startChannelServer() {
    this.channelServer = await Service.start(argument('channel_server'),
        ['--port=0', '--admin_port=-1', `--socket_dir=${this.folder}`, ...this._channelFlags]);
  }

  async startService() {
    this.service = await Service.start(argument('websocket_service'),
        ['--port=0', '--admin_port=-1', '--workers=2', `--channel=unix:${this.folder}`, ...this._serviceFlags]);
    if (this.network) this.network.target = this.service.port;
  }

  driver(name, environment) {
    const driver = new Driver(this.sdk.command, name, environment);
    this.drivers.push(driver);
    return driver;
  }

  /** A client that is connected through the network, and in the group. */
  async member(name, options, environment) {
    const driver = this.driver(name, environment);
    driver.connect(this.network.port, options);
    await driver.join();
    return driver;
  }

  /** The same with a line of its own, on which nothing happens. */
  async neighbour(name, options) {
    const driver = this.driver(name);
    driver.connect(this.service.port, options);
    await driver.join();
    return driver;
  }

  /**
   * Waits until all that was sent has an answer and everybody has it, and judges. `mayLose`, `keepsSendOrder`: as for
   * judge(). Returns the journals, by name.
   */
  async judge({mayLose = false, keepsSendOrder = true, members = this.drivers} = {}) {
    for (const driver of this.drivers) await driver.answered();
    const answers = this.drivers.flatMap((driver) => driver.answers);
    const last = newestPlace(answers.filter(({event}) => event === 'sent'));
    for (const member of members) {
      await member.until(`"${last.text}" comes`, () => {
        const place = member.events.filter(({event}) => event === 'message' || event === 'gap').pop();
        return place && place.epoch === last.epoch && (place.offset ?? place.to) >= last.offset;
      });
    }
    const events = Object.fromEntries(members.map((member) => [member.name, member.events]));
    const sends = this.drivers.flatMap((driver) => driver.asked);
    const violations = judge({group: 'g', members: events, sends, answers, mayLose, keepsSendOrder});
    assert.deepEqual(violations.slice(0, 10), [], `${violations.length} violations`);
    return Object.fromEntries(Object.entries(events).map(([name, own]) => [name, new Journal(name, own, 'g')]));
  }

  /** Each program ends by itself, in peace. */
  async finish() {
    if (!this.sdk.canCutOff) await this.network.stop();
    for (const driver of this.drivers) if (!driver.end) await driver.finish();
  }

  async stop() {
    await killDrivers();
    // They write in the folder until they end.
    await Promise.all([this.service.stop(), this.channelServer.stop()]);
    fs.rmSync(this.folder, {recursive: true, force: true});
  }
}

module.exports = {World};
