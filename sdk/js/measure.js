'use strict';

// What the SDK costs: the bytes that a page loads, the start of a program, and the memory of a client in Node.
//
//   tools/up                                        a server
//   node --expose-gc measure.js [ws://127.0.0.1:1234]
//
// It needs the npm packages of this folder, and npm's ws of tests/browser.

const child_process = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const zlib = require('node:zlib');

const CLIENTS = 1000;
const STARTS = 31;

const wsFile = require.resolve('ws', {paths: [path.join(__dirname, '../../tests/browser')]});
const WebSocket = require(wsFile);

function build() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'groupcast-measure-'));
  child_process.execFileSync(process.execPath, [path.join(__dirname, 'build.js'), `--out=${folder}`]);
  return folder;
}

function median(numbers) {
  return [...numbers].sort((x, y) => x - y)[numbers.length >> 1];
}

// The milliseconds that a new process takes to load a module, by its own clock.
function startMs(statement) {
  const program = `const begin = performance.now(); ${statement}; console.log(performance.now() - begin);`;
  return median(Array.from({length: STARTS}, () => Number(
      child_process.execFileSync(process.execPath, ['--input-type=module', '-e', program], {encoding: 'utf8'}))));
}

// The KiB that each of CLIENTS things takes, by heap and by the memory of the process.
async function kibOf(make) {
  const read = () => {
    global.gc();
    global.gc();
    const {heapUsed, external, rss} = process.memoryUsage();
    return {heap: heapUsed + external, rss};
  };
  const before = read();
  const things = [];
  for (let n = 0; n < CLIENTS; ++n) things.push(await make(n));
  const after = read();
  const kib = (key) => ((after[key] - before[key]) / CLIENTS / 1024).toFixed(1);
  return {things, text: `${kib('heap')} KiB of heap, ${kib('rss')} KiB of the process`};
}

async function main(url) {
  const folder = build();
  const {Client} = require(path.join(folder, 'groupcast.js'));
  for (const name of ['groupcast.min.js', 'groupcast.mjs']) {
    const text = fs.readFileSync(path.join(folder, name));
    console.log(`${name}: ${text.length} bytes, ${zlib.gzipSync(text, {level: 9}).length} gzipped, ` +
        `${zlib.brotliCompressSync(text).length} with brotli`);
  }
  const file = JSON.stringify(path.join(folder, 'groupcast.node.mjs'));
  const nothing = startMs(`await import('node:url')`);
  console.log(`import: ${(startMs(`await import(${file})`) - nothing).toFixed(2)} ms more than an import of nothing, ` +
      `with ws ${(startMs(`await import(${file}); await import(${JSON.stringify(wsFile)})`) - nothing).toFixed(2)} ms`);

  const connect = () => new Promise((resolve, reject) => {
    const socket = new WebSocket(url, 'groupcast.v1.json');
    socket.once('message', () => resolve(socket));
    socket.once('error', reject);
  });
  const join = async (n) => {
    const client = new Client(url, {WebSocket});
    await client.join('measure ' + n, () => {});
    return client;
  };
  // The first ones pay for code and buffers.
  for (const first of [await connect(), await connect()]) first.terminate();
  (await join(0)).close();
  const sockets = await kibOf(connect);
  console.log(`a socket of ws: ${sockets.text}`);
  for (const socket of sockets.things) socket.terminate();
  const clients = await kibOf(join);
  console.log(`a client in a group, with its socket: ${clients.text}`);
  for (const client of clients.things) client.close();
  fs.rmSync(folder, {recursive: true});
}

if (!global.gc) {
  console.error('usage: node --expose-gc measure.js [URL]');
  process.exitCode = 1;
} else {
  main(process.argv[2] || 'ws://127.0.0.1:1234').catch((error) => {
    console.error(error);
    process.exitCode = 1;
  });
}
