// Questions that have no effect, so that the next connection simply asks again: history and members.

import {watchAbort} from './answer.js';
import {GroupcastError} from './error.js';

// The number of reads without an answer. Over it: `queue_full`.
const READS_MAX = 128;

export class Reads {
  // `writable()` is the connection to write to, or null if there is none.
  constructor(writable) {
    this._writable = writable;
    this._reads = new Set();  // without an answer
  }

  /** Asks for `command`, and returns a promise of the reply. */
  read(command, signal) {
    return new Promise((resolve, reject) => {
      JSON.stringify(command);  // throws for options that cannot be written, before anything waits
      if (this._reads.size >= READS_MAX) {
        throw new GroupcastError('queue_full', READS_MAX + ' reads wait already', true, command.group_id);
      }
      const read = {command, resolve, reject, endAbort: null};
      read.endAbort = watchAbort(signal, (reason) => {
        this._forget(read);
        reject(reason);
      });
      this._reads.add(read);
      this._write(read);
    });
  }

  onOpen() {
    for (const read of this._reads) this._write(read);
  }

  onEnd(errorOf) {
    for (const read of this._reads) {
      this._forget(read);
      read.reject(errorOf(read.command.group_id));
    }
  }

  _write(read) {
    const connection = this._writable();
    if (!connection) return;  // the next one asks
    connection.ask(read.command, {
      onReply: (reply) => {
        this._forget(read);
        read.resolve(reply);
      },
      onError: (error) => {
        this._forget(read);
        error.groupId = read.command.group_id;
        read.reject(error);
      },
      onLost: () => {},  // the next connection asks again
    });
  }

  _forget(read) {
    this._reads.delete(read);
    read.endAbort();
  }
}
