'use strict';

// Makes what users load from the modules in src/:
//
//   node build.js            writes groupcast.js. It is part of the repository, so that a page needs one file and no
//                            build, and the sample opens from the file system
//   node build.js --check    fails if groupcast.js is not what this would write
//   node build.js --out=DIR  writes the npm package: `npm publish DIR`

const esbuild = require('esbuild');
const fs = require('node:fs');
const path = require('node:path');
const terser = require('terser');

const HERE = __dirname;

// Node 18 has no global crypto.
const NODE_MODULE_CRYPTO = `import {webcrypto as crypto} from 'node:crypto';`;

// The one file is for pages and for Node. A bundler would follow its require(), so it gets another one.
const FILE_BEGIN = `// Groupcast for JavaScript. Made by build.js from src/. groupcast.d.ts has the types and the promises.
(function (target, crypto) {`;
const FILE_END = `})(
  typeof module === 'object' && module.exports ? module.exports : (globalThis.groupcast = {}),
  globalThis.crypto || (typeof require === 'function' ? require('node:crypto').webcrypto : undefined));`;

// A classic script or a CommonJS module.
function script(begin, end, options) {
  return {entryPoints: ['src/script.js'], format: 'iife', banner: {js: begin}, footer: {js: end}, ...options};
}

// groupcast.js is for <script src> and for require() in Node, the small one for <script src>. Of the modules,
// groupcast.node.mjs is for Node, and the others are for browsers, Deno, Bun and bundlers.
const BUILDS = {
  'groupcast.js': script(FILE_BEGIN, FILE_END),
  'groupcast.min.js': script('(function(target){', '})(globalThis.groupcast={});', {minify: true, mangleProps: /^_/}),
  'groupcast.cjs': script('(function (target) {', '})(module.exports);'),
  'groupcast.mjs': {format: 'esm'},
  'groupcast.node.mjs': {format: 'esm', banner: {js: NODE_MODULE_CRYPTO}},
};

function build(name) {
  const {outputFiles} = esbuild.buildSync(Object.assign({
    absWorkingDir: HERE,
    entryPoints: ['src/index.js'],
    bundle: true,
    charset: 'utf8',
    target: 'es2020',
    platform: 'neutral',
    write: false,
    logLevel: 'error',
  }, BUILDS[name]));
  const {text} = outputFiles[0];
  // esbuild shortens the names of properties. terser takes out more of the rest.
  if (!name.endsWith('.min.js')) return text;
  return terser.minify_sync(text, {ecma: 2020, compress: {passes: 3}}).code;
}

function read(name) {
  return fs.readFileSync(path.join(HERE, name), 'utf8');
}

function writePackage(folder) {
  fs.mkdirSync(folder, {recursive: true});
  const write = (name, text) => fs.writeFileSync(path.join(folder, name), text);
  for (const name of Object.keys(BUILDS)) write(name, build(name));
  const types = read('groupcast.d.ts');
  write('groupcast.d.ts', types);
  write('groupcast.d.mts', types.replace('export as namespace groupcast;\n', ''));
  const {scripts, devDependencies, ...description} = JSON.parse(read('package.json'));
  write('package.json', JSON.stringify(description, null, 2) + '\n');
  write('README.md', read('README.md'));
  write('LICENSE', read('../../LICENSE'));
}

function main(options) {
  const out = options.find((option) => option.startsWith('--out='));
  if (out) {
    writePackage(path.resolve(out.slice('--out='.length)));
  } else if (!options.includes('--check')) {
    fs.writeFileSync(path.join(HERE, 'groupcast.js'), build('groupcast.js'));
  } else if (build('groupcast.js') !== read('groupcast.js')) {
    console.error('sdk/js/groupcast.js is not made of sdk/js/src: run `npm run build` there.');
    return 1;
  }
  return 0;
}

process.exitCode = main(process.argv.slice(2));
