'use strict';

// A second member that sends 1, 2, 3, … to a group: another client in this page, with its own session and connection.
// So one person alone can see what happens to the messages of others while the connection is away.

const COUNTER_PAUSE_MS = 1000;
const COUNTER_END = 300;     // it stops by itself

class Counter {
  /**
   * `owner` gets onSend(id, number) before a send, onSent(number, {epoch, offset}) when it is acknowledged, and
   * onEnd(error) once; without an error it was stopped or has come to its end.
   */
  constructor(url, groupId, name, owner) {
    this.series = crypto.getRandomValues(new Uint32Array(2)).join('-');
    this._groupId = groupId;
    this._name = name;
    this._owner = owner;
    this._isStopped = false;
    this._wire = new Wire({onFrame() {}, onSocket() {}});
    this._client = new groupcast.Client(url, {WebSocket: this._wire.WebSocket});
    this._client.on('error', (error) => this._end(error));
    this._run().catch((error) => this._end(error));
  }

  stop() {
    this._end();
  }

  // One after the other: while the server gives no answer, it waits.
  async _run() {
    await this._client.join(this._groupId, () => {});
    for (let number = 1; number <= COUNTER_END && !this._isStopped; ++number) {
      const id = this.series + ':' + number;
      this._owner.onSend(id, number);
      const place = await this._client.send(this._groupId,
          {id, name: this._name, by: this._wire.connectionId, text: String(number), series: this.series, number});
      this._owner.onSent(number, place);
      await new Promise((resolve) => setTimeout(resolve, COUNTER_PAUSE_MS));
    }
    this._end();
  }

  _end(error) {
    if (this._isStopped) return;
    this._isStopped = true;
    this._client.close();
    this._owner.onEnd(error);
  }
}
