'use strict';

// The SDKs under test: `command` starts a driver; null if it cannot run here.
//
// `canCutOff`: the WebSocket can end a connection without its peer. The standard's cannot: a dead connection keeps the
// program until the network ends it.

const fs = require('node:fs');
const {createRequire} = require('node:module');
const path = require('node:path');
const harness = require('../browser/harness.js');

/** A JavaScript driver in a runtime; `wsFolder` has npm's ws in its node_modules, if the driver is to use it. */
function inRuntime(name, runtime, groupcast, wsFolder = null) {
  const command = [...runtime, harness.argument('js_driver'), `--groupcast=${groupcast}`];
  if (wsFolder) command.push(`--websocket=${createRequire(path.join(wsFolder, 'x')).resolve('ws')}`);
  return {name, command, canCutOff: Boolean(wsFolder)};
}

const SDKS = {
  cpp: () => ({name: 'cpp', command: [harness.argument('cpp_driver')], canCutOff: true}),
  node_ws: () => inRuntime('node_ws', [process.execPath], harness.argument('groupcast'),
      path.dirname(fs.realpathSync(path.join(__dirname, '../browser/harness.js')))),
  // With its own WebSocket. Node 20 has it behind a flag, and 18 has none.
  node: () => {
    const flag = '--experimental-websocket';
    const isThere = typeof WebSocket === 'function';
    if (!isThere && !process.allowedNodeEnvironmentFlags.has(flag)) return {name: 'node', command: null};
    return inRuntime('node', [process.execPath, ...(isThere ? [] : [flag])], harness.argument('groupcast'));
  },
};

module.exports = {SDKS, inRuntime};
