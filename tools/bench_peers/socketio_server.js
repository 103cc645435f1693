#!/usr/bin/env node
'use strict';

// Rooms of Socket.IO in several processes, which its cluster adapter connects. Clients come with WebSocket alone, so it
// does not matter which process gets a connection, and Node's cluster deals them out in turn.
//
//   socketio_server.js --ready_file=FILE --workers=N [--tls_certificate=FILE --tls_key=FILE] [--deflate]

const cluster = require('node:cluster');
const fs = require('node:fs');
const http = require('node:http');
const https = require('node:https');
const {hasOption, option, writeReadyFile} = require('./server.js');

// Workers listen when all of them have come so far, so that none gets all the first connections.
function primary() {
  const {setupPrimary} = require('@socket.io/cluster-adapter');
  setupPrimary();
  const count = Number(option('workers'));
  let loaded = 0;
  let listening = 0;
  cluster.on('message', (worker, message) => {
    if (message !== 'loaded' || ++loaded < count) return;
    for (const each of Object.values(cluster.workers)) each.send('listen');
  });
  cluster.on('listening', (worker, address) => {
    if (++listening === count) writeReadyFile(address.port);
  });
  // It is of no use with fewer.
  cluster.on('exit', (worker, code, signal) => {
    console.error(`worker ${worker.process.pid} ended: ${signal ?? code}`);
    process.exit(1);
  });
  for (let i = 0; i < count; ++i) cluster.fork();
}

function worker() {
  const {createAdapter} = require('@socket.io/cluster-adapter');
  const {Server} = require('socket.io');

  const server = hasOption('tls_key') ?
    https.createServer({
      cert: fs.readFileSync(option('tls_certificate')),
      key: fs.readFileSync(option('tls_key')),
    }) :
    http.createServer();
  const io = new Server(server, {
    adapter: createAdapter(),
    transports: ['websocket'],
    perMessageDeflate: hasOption('deflate'),
    httpCompression: false,
    serveClient: false,
  });
  // The request of the handshake is not needed any more, and large.
  io.engine.on('connection', (connection) => {
    connection.request = null;
  });
  io.on('connection', (socket) => {
    socket.on('join', (group, done) => {
      socket.join(group);
      done();
    });
    socket.on('leave', (group) => {
      socket.leave(group);
    });
    socket.on('send', (group, text) => {
      io.to(group).emit('message', text);
    });
  });
  process.on('message', (message) => {
    if (message === 'listen') server.listen({host: '127.0.0.1', port: 0, backlog: 4096});
  });
  process.send('loaded');
}

if (cluster.isPrimary) {
  primary();
} else {
  worker();
}
