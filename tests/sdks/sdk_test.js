'use strict';

// One SDK against all faults: --sdk=NAME.

const {runScenarios} = require('./scenarios.js');
const {SDKS} = require('./sdks.js');

const PREFIX = '--sdk=';
runScenarios(SDKS[process.argv.find((value) => value.startsWith(PREFIX)).slice(PREFIX.length)]());
