'use strict';

// Holds /v1/openapi.json against the gateway that serves it: its paths, methods, examples, answers and problems.

const assert = require('node:assert/strict');
const test = require('node:test');
const {argument, requireInstalled, startChannelServer, startHttpGateway, withCleanUp} = require('../browser/harness.js');

const TIMEOUT = {timeout: 60000};
const document = require(argument('openapi'));
const METHODS = ['get', 'head', 'post', 'put', 'patch', 'delete', 'options'];

// The object that a reference means.
function resolve(value) {
  if (value === undefined || value.$ref === undefined) return value;
  return value.$ref.slice(2).split('/').reduce((at, name) => at[name], document);
}

function validator() {
  // OpenAPI 3.1 has the keywords of JSON Schema 2020-12.
  const ajv = requireInstalled('ajv/dist/2020.js');
  const instance = new ajv.default({strict: false, allErrors: true});
  instance.addSchema(document, 'openapi');
  return (schema, value, what) => {
    // References begin at the document's root.
    const absolute = JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"openapi#/'));
    const check = instance.compile(absolute);
    assert.ok(check(value), `${what}: ${JSON.stringify(check.errors)} of ${JSON.stringify(value)}`);
  };
}

function parametersOf(operation, place) {
  return (operation.parameters || []).map(resolve).filter((parameter) => parameter.in === place);
}

// The request that the examples of an operation describe. `extra`: parameters of the query. `member`: one that is there,
// instead of that of the examples.
function request(port, path, method, extra = [], member = {}) {
  const operation = document.paths[path][method];
  let target = path;
  for (const parameter of (operation.parameters || []).filter(({$ref}) => $ref)) {
    const {name, in: place, example} = resolve(parameter);
    const value = member[parameter.$ref.split('/').pop()] || example;
    if (place === 'path') target = target.replace(`{${name}}`, encodeURIComponent(value));
  }
  const query = new URLSearchParams(extra);
  for (const {name, example, required} of parametersOf(operation, 'query')) {
    for (const value of required ? [example].flat() : []) query.append(name, value);
  }
  const text = query.toString();
  return `http://127.0.0.1:${port}${target}${text && '?' + text}`;
}

function* operations() {
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const method of METHODS.filter((name) => methods[name])) yield {path, method, operation: methods[method]};
  }
}

// A stream in a group of its own, for requests that need somebody to act on. Returns values of parameters by their names
// in the document, and the function that ends the stream.
async function startMember(port) {
  const abort = new AbortController();
  const group = `members-${Math.random()}`;
  await fetch(`http://127.0.0.1:${port}/v1/groups/${group}/events`, {signal: abort.signal});
  const {members} = await (await fetch(`http://127.0.0.1:${port}/v1/groups/${group}/members`)).json();
  const id = members[0].connection_id;
  return {group_id: group, member: id, connection_id: id, end: () => abort.abort()};
}

test('a validator of OpenAPI 3.1 accepts the document', async () => {
  requireInstalled('@seriousme/openapi-schema-validator/package.json');
  const {Validator} = await import(
      require.resolve('@seriousme/openapi-schema-validator', {paths: [require('node:path').dirname(
          require('node:fs').realpathSync(argument('harness')))]}));
  const instance = new Validator();
  const result = await instance.validate(document);
  assert.ok(result.valid, JSON.stringify(result.errors));
  assert.equal(instance.version, '3.1');
  const broken = structuredClone(document);
  delete broken.info.title;
  assert.equal((await new Validator().validate(broken)).valid, false, 'it finds a defect');
});

test('its examples are what its schemas say', () => {
  const check = validator();
  let examples = 0;
  const visit = (value, where) => {
    if (value === null || typeof value !== 'object') return;
    if (value.schema !== undefined && value.example !== undefined) {
      check(value.schema, value.example, where);
      ++examples;
    }
    for (const [name, inner] of Object.entries(value)) visit(inner, `${where}/${name}`);
  };
  visit(document.paths, 'paths');
  visit(document.components, 'components');
  assert.ok(examples > 20, `${examples} examples`);
});

test('the gateway serves it, and has its paths and methods and no others', TIMEOUT, withCleanUp(async () => {
  const {port} = await startHttpGateway(await startChannelServer());
  assert.deepEqual(await (await fetch(`http://127.0.0.1:${port}/v1/openapi.json`)).json(), document);
  for (const path of Object.keys(document.paths)) {
    for (const method of METHODS) {
      const exists = document.paths[path][method] !== undefined;
      const first = METHODS.find((name) => document.paths[path][name]);
      const abort = new AbortController();
      const answer = await fetch(request(port, path, exists ? method : first), {
        method: method.toUpperCase(), body: ['post', 'put', 'patch'].includes(method) ? '' : undefined,
        signal: abort.signal,
      });
      const what = `${method} ${path}: ${answer.status}`;
      // A connection of an example is not there, but its path is.
      if (method !== 'delete') assert.notEqual(answer.status, 404, what);
      assert.equal(answer.status === 405, !exists, what);
      abort.abort();
    }
  }
}));

test('its examples of requests have the answers that it describes', TIMEOUT, withCleanUp(async () => {
  const check = validator();
  const {port} = await startHttpGateway(await startChannelServer());
  for (const {path, method, operation} of operations()) {
    const types = operation.requestBody ? Object.entries(operation.requestBody.content) : [[null, {}]];
    for (const [type, {example}] of types) {
      const abort = new AbortController();
      const headers = type === null ? {} : {'Content-Type': type};
      const member = method === 'delete' ? await startMember(port) : null;
      const answer = await fetch(request(port, path, method, [], member || {}), {
        method: method.toUpperCase(), headers, signal: abort.signal,
        body: type === 'application/json' ? JSON.stringify(example) : example,
      });
      if (member !== null) member.end();
      const what = `${method} ${path}`;
      // Nobody is a user here: the gateway has no keys for tokens.
      const isNobody = method === 'delete' && path.startsWith('/v1/users/') && answer.status === 404;
      assert.ok(answer.ok || isNobody, `${what}: ${answer.status}`);
      const described = operation.responses[answer.status];
      assert.ok(described, `${what} has no ${answer.status}`);
      const content = resolve(described).content || {};
      const [media] = Object.keys(content);
      if (media !== undefined) assert.equal(answer.headers.get('content-type'), media, what);
      if (media === 'application/json') {
        const body = await answer.json();
        check(content[media].schema, body, what);
        // Undocumented properties are defects of the document.
        const schema = resolve(content[media].schema);
        if (schema.properties && !path.endsWith('openapi.json')) {
          for (const name of Object.keys(body)) assert.ok(schema.properties[name], `${what} has ${name}`);
        }
      }
      abort.abort();
    }
  }
}));

test('the parameters of its queries count', TIMEOUT, withCleanUp(async () => {
  const {port} = await startHttpGateway(await startChannelServer());
  // A value that each must refuse. `exclude_user` is no defect alone, and a group has any text.
  const wrong = {
    order: 'x', prefix: '\u0000', code: '1000', reason: '',
    limit: 'x', epoch: 'x', offset: 'x', after: '\u0000', count_only: 'x', history: 'x', presence: 'x', last_event_id: 'x',
    session: ' ', exclude_session: ' ', exclude_user: 'x', token: 'gck_x', group: '\u0000',
  };
  for (const {path, method, operation} of operations()) {
    if (method === 'head' || method === 'options') continue;
    for (const {name} of parametersOf(operation, 'query')) {
      const type = operation.requestBody && 'application/json';
      const answer = await fetch(request(port, path, method, [[name, wrong[name]]]), {
        method: method.toUpperCase(), headers: type ? {'Content-Type': type} : {},
        body: type && JSON.stringify(operation.requestBody.content[type].example),
      });
      assert.ok([400, 401].includes(answer.status), `${method} ${path}?${name}: ${answer.status}`);
      assert.ok(operation.responses[answer.status], `${method} ${path} has no ${answer.status}`);
      const problem = await answer.json();
      validator()(document.components.schemas.Problem, problem, `${method} ${path}?${name}`);
    }
  }
}));
