// What must type-check, and what must not. package_test.js compiles it, and never runs it.

import {Client, GroupcastError, Gap, JoinOptions, Position, StateEvent} from 'groupcast';
import * as everything from 'groupcast';

interface Line {
  amount: number;
  readonly tags?: readonly string[];
}

interface Order {
  id: number;
  note?: string;
  lines: Line[];
  at: Date;
}

async function use(client: Client, order: Order, position: Position, signal: AbortSignal): Promise<void> {
  const {epoch, offset} = await client.send('orders', order);
  const sent: Position = {epoch, offset};
  await client.send(123, 'text', {excludeSelf: true, signal});
  await client.send('a', null);
  await client.send('a', [1, 'two', {three: true}]);
  const anything: any = sent;
  await client.send('a', anything);

  await client.join<Order>('orders', (received, info) => {
    const id: number = received.id;
    console.log(id, info.offset, info.sentAt, info.from?.user);
  }, {history: 10, signal, onGap: (gap: Gap) => console.log(gap.from, gap.to)});
  await client.join('orders', () => {}, {since: position});
  await client.join('orders', () => {}, {since: null, history: null});
  const stored: Position | null = offset > 0 ? position : null;
  const options: JoinOptions = {since: stored, onMembers: (members, {joined}) => console.log(members.size, joined.length)};
  await client.join('orders', () => {}, options);

  for await (const {message, gap} of client.group<Order>('orders', {history: 5})) {
    console.log(message.lines[0]?.amount, gap?.to);
  }
  const {messages} = await client.history('a', {limit: 3, signal});
  const {members, next} = await client.members('a', {limit: 3});
  console.log(messages[0]?.message, members[0]?.user, next);

  const remove: () => void = client.on('state', (event: StateEvent) => {
    if (event.state === 'waiting') console.log(event.retryInMs, event.httpStatus);
  });
  client.on('error', (error: GroupcastError) => console.log(error.code === 'queue_full', error.groupId));
  remove();
  client.reconnect();
  client.close();

  // @ts-expect-error the protocol takes either since or history
  await client.join('orders', () => {}, {since: position, history: 10});
  // @ts-expect-error the same, for a loop
  client.group('orders', {since: position, history: 10});
  // @ts-expect-error undefined has no JSON
  await client.send('a', undefined);
  // @ts-expect-error a function has no JSON
  await client.send('a', {call: () => 1});
  // @ts-expect-error a big integer has no JSON
  await client.send('a', {big: 1n});
  // @ts-expect-error a Map has no JSON of its entries
  await client.send('a', new Map<string, string>());
  // @ts-expect-error nobody knows what this is
  await client.send('a', anything as unknown);
  // @ts-expect-error a join needs a callback
  await client.join('a');
  // @ts-expect-error group ids are strings or numbers
  await client.leave(true);
  // @ts-expect-error there is no such event
  client.on('message', () => {});
  // @ts-expect-error a position has both
  await client.history('a', {since: {epoch: 'e'}});
}

new Client('ws://here');
new Client('ws://here', {token: 't', session: 's'});
new everything.Client('ws://here', {token: async () => 't'});
// The least that a WebSocket has, and what npm's ws has besides.
class LeastSocket {
  readyState = 0;
  onmessage = null;
  onclose = null;
  onerror = null;
  constructor(readonly url: string, readonly protocols: string[]) {}
  send(_text: string): void {}
  close(): void {}
}
class NodeSocket extends LeastSocket {
  terminate(): void {}
  once(_event: string, _listener: (...args: any[]) => void): this {
    return this;
  }
}
class OtherSocket extends LeastSocket {
  terminate = 'soon';
}
new Client('ws://here', {WebSocket: LeastSocket});
new Client('ws://here', {WebSocket: NodeSocket});
// @ts-expect-error the client would call it
new Client('ws://here', {WebSocket: OtherSocket});
// @ts-expect-error a token is a string
new Client('ws://here', {token: async () => 7});
export {use};
