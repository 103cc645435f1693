#!/usr/bin/env node
'use strict';

// Groups with nothing but ws, in one process. Each frame's first letter says what it is: j to join the group that
// follows, l to leave it, s to send what follows after a space to the group before it. Members get the text alone.
//
//   ws_server.js --ready_file=FILE

const {WebSocketServer} = require('ws');
const {writeReadyFile} = require('./server.js');

const JOIN = 'j'.charCodeAt(0);
const LEAVE = 'l'.charCodeAt(0);
const SPACE = ' '.charCodeAt(0);

const groups = new Map();  // of their names to Sets of members

function join(member, name) {
  let members = groups.get(name);
  if (members === undefined) groups.set(name, members = new Set());
  members.add(member);
  member.groups.add(name);
  member.send('joined');
}

function leave(member, name) {
  if (!member.groups.delete(name)) return;
  const members = groups.get(name);
  members.delete(member);
  if (members.size === 0) groups.delete(name);
}

const AS_TEXT = {binary: false};

// The same bytes for everybody: no text is made of them.
function send(data) {
  const end = data.indexOf(SPACE);
  const message = data.subarray(end + 1);
  for (const member of groups.get(data.toString('latin1', 1, end)) ?? []) member.send(message, AS_TEXT);
}

const server = new WebSocketServer({
  host: '127.0.0.1',
  port: 0,
  backlog: 4096,
  perMessageDeflate: false,
  clientTracking: false,
  maxPayload: 1 << 20,
});
server.on('connection', (member) => {
  member.groups = new Set();
  member.on('message', (data) => {
    if (data[0] === JOIN) {
      join(member, data.toString('latin1', 1));
    } else if (data[0] === LEAVE) {
      leave(member, data.toString('latin1', 1));
    } else {
      send(data);
    }
  });
  member.on('close', () => {
    for (const name of member.groups) leave(member, name);
  });
  member.on('error', () => {});  // 'close' follows
});
server.on('listening', () => writeReadyFile(server.address().port));
