'use strict';

// What the servers here share: they are started like Groupcast's own.

const fs = require('node:fs');

// Whether --name or --name=VALUE is on the command line.
function hasOption(name) {
  return process.argv.some((value) => value === `--${name}` || value.startsWith(`--${name}=`));
}

// The value of --name=VALUE on the command line.
function option(name) {
  const prefix = `--${name}=`;
  const found = process.argv.find((value) => value.startsWith(prefix));
  if (found === undefined) throw new Error(`no ${prefix}VALUE on the command line`);
  return found.slice(prefix.length);
}

// Says, by a file that is there at once and whole, that clients may come to this port.
function writeReadyFile(port) {
  const target = option('ready_file');
  const beside = `${target}.${process.pid}.tmp`;
  fs.writeFileSync(beside, `${JSON.stringify({port})}\n`);
  fs.renameSync(beside, target);
}

module.exports = {hasOption, option, writeReadyFile};
