'use strict';

// Finds the documents of the checkout.

const fs = require('fs');
const path = require('path');

// All Markdown files below the directory. Others' packages and build outputs are not the project's.
function documents(directory) {
  return fs.readdirSync(directory, {withFileTypes: true}).flatMap((entry) => {
    if (/^(\.|bazel-|node_modules$)/.test(entry.name)) return [];
    const file = path.join(directory, entry.name);
    if (entry.isDirectory()) return documents(file);
    return entry.isFile() && entry.name.endsWith('.md') ? [file] : [];
  });
}

module.exports = {documents};
