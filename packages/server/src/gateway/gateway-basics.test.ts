import assert from 'node:assert/strict';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { describe, it } from 'node:test';
import { createFixture, ownerKey, readText, strangerKey } from './testing/gateway-fixture.ts';

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

interface Seen {
  method: string;
  url: string;
  body: string;
  headers: Record<string, string>;
  raw: string[];
}

const echo = async (request: IncomingMessage, response: import('node:http').ServerResponse): Promise<void> => {
  const body = await readText(request);
  response.setHeader('content-type', 'application/json');
  response.end(
    JSON.stringify({
      method: request.method,
      url: request.url,
      body,
      headers: request.headers,
      raw: request.rawHeaders,
    }),
  );
};

function send(
  url: string,
  options: { method?: string; headers?: Record<string, string | string[]>; body?: string | Buffer },
): Promise<{ response: IncomingMessage; text: string }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      url,
      { method: options.method ?? 'GET', headers: options.headers ?? {}, agent: false },
      (response) => {
        readText(response).then((text) => resolve({ response, text }), reject);
      },
    );
    request.on('error', reject);
    request.end(options.body);
  });
}

describe('a call through the gateway', () => {
  it('reaches the app with path, query, method and body, and brings status, headers and body back', async () => {
    await using fixture = await createFixture({
      app: async (request, response) => {
        response.setHeader('x-own', 'yes');
        response.statusMessage = 'Made';
        response.statusCode = 201;
        await echo(request, response);
      },
    });
    const response = await fetch(`${fixture.url}/alice/hello/sub/path?a=1&b=%20x&a=2`, {
      method: 'PUT',
      body: '{"n":1}',
      headers: { 'content-type': 'application/json', 'x-custom': 'kept' },
    });
    assert.equal(response.status, 201);
    assert.equal(response.statusText, 'Made');
    assert.equal(response.headers.get('x-own'), 'yes');
    assert.match(response.headers.get('x-fal-request-id')!, uuid);
    assert.equal(response.headers.get('x-fal-served-from'), `runner-${fixture.appPort}`);
    const seen = (await response.json()) as Seen;
    assert.equal(seen.method, 'PUT');
    assert.equal(seen.url, '/sub/path?a=1&b=%20x&a=2');
    assert.equal(seen.body, '{"n":1}');
    assert.equal(seen.headers['x-custom'], 'kept');
    assert.equal(seen.headers['x-fal-request-id'], response.headers.get('x-fal-request-id'));
    assert.equal(seen.headers['x-fal-endpoint'], 'alice/hello/sub/path');
    assert.deepEqual(await fixture.dispatcher.released(1), [{ kind: 'done' }]);
  });

  it('passes every method on', async () => {
    await using fixture = await createFixture({ app: echo });
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'QUERY', 'PURGE']) {
      const { text } = await send(`${fixture.url}/alice/hello`, { method, headers: { 'content-length': '0' } });
      assert.equal((JSON.parse(text) as Seen).method, method);
    }
  });

  it('gives an empty path as / and keeps the trailing slash of the root out of it', async () => {
    await using fixture = await createFixture({ app: echo });
    for (const path of ['/alice/hello', '/alice/hello/']) {
      const { text } = await send(fixture.url + path, {});
      assert.equal((JSON.parse(text) as Seen).url, '/');
      assert.equal((JSON.parse(text) as Seen).headers['x-fal-endpoint'], 'alice/hello/');
    }
  });

  it('hands the app neither the credential nor reserved names nor what belongs to one connection', async () => {
    await using fixture = await createFixture({ app: echo });
    const { text } = await send(`${fixture.url}/alice/hello`, {
      headers: {
        authorization: ownerKey,
        'x-fal-request-id': 'forged',
        'X-Fal-Caller-User-Id': 'forged',
        'x-fal-store-io': '0',
        'x-forwarded-for': '6.6.6.6',
        'x-app-fal-upload-policy': '{"a":1}',
        'x-fal-cdn-token': 'token',
        connection: 'keep-alive, X-Mine',
        'x-mine': 'dropped',
        te: 'trailers',
        'proxy-authorization': 'dropped',
        cookie: 'a=1',
      },
    });
    const { headers } = JSON.parse(text) as Seen;
    assert.equal(headers['authorization'], undefined);
    assert.match(headers['x-fal-request-id']!, uuid);
    assert.equal(headers['x-fal-caller-user-id'], 'acc_owner');
    assert.equal(headers['x-fal-store-io'], undefined);
    assert.equal(headers['x-forwarded-for'], '127.0.0.1');
    assert.equal(headers['x-forwarded-proto'], 'http');
    assert.equal(headers['x-forwarded-host'], `127.0.0.1:${fixture.port}`);
    assert.equal(headers['host'], `127.0.0.1:${fixture.port}`);
    assert.equal(headers['x-app-fal-upload-policy'], '{"a":1}');
    assert.equal(headers['x-fal-cdn-token'], 'token');
    assert.equal(headers['x-mine'], undefined);
    assert.equal(headers['te'], undefined);
    assert.equal(headers['proxy-authorization'], undefined);
    assert.equal(headers['cookie'], 'a=1');
  });

  it('does not let a Connection header take away what the message or the platform needs', async () => {
    await using fixture = await createFixture({ app: echo });
    const { text } = await send(`${fixture.url}/alice/hello`, {
      method: 'POST',
      headers: {
        connection: 'close, content-length, content-type, x-fal-request-id',
        'content-length': '2',
        'content-type': 'a/b',
      },
      body: 'hi',
    });
    const seen = JSON.parse(text) as Seen;
    assert.equal(seen.body, 'hi');
    assert.equal(seen.headers['content-type'], 'a/b');
    assert.match(seen.headers['x-fal-request-id']!, uuid);
  });

  it('tells the app of a third party only a hash of its caller, and nothing of nobody', async () => {
    await using fixture = await createFixture({ app: echo });
    const idOf = async (headers: Record<string, string>): Promise<string | undefined> =>
      (JSON.parse((await send(`${fixture.url}/alice/hello`, { headers })).text) as Seen).headers[
        'x-fal-caller-user-id'
      ];
    assert.match((await idOf({ authorization: strangerKey }))!, /^[0-9a-f]{32}$/);
    assert.equal(await idOf({}), undefined);
  });

  it('always gives a lifecycle preference that is a JSON object', async () => {
    await using fixture = await createFixture({ app: echo });
    const preference = async (sent: string | null): Promise<unknown> => {
      const headers = sent === null ? {} : { 'x-fal-object-lifecycle-preference': sent };
      const { text } = await send(`${fixture.url}/alice/hello`, { headers });
      return JSON.parse((JSON.parse(text) as Seen).headers['x-fal-object-lifecycle-preference']!);
    };
    assert.deepEqual(await preference('{"expiration_duration_seconds": 60}'), { expiration_duration_seconds: 60 });
    for (const sent of [null, 'null', 'broken', '[1]', '3']) {
      assert.deepEqual(await preference(sent), { expiration_duration_seconds: null });
    }
  });

  it('keeps control headers of the app from the caller', async () => {
    await using fixture = await createFixture({
      app: (request, response) => {
        response.statusCode = Number(request.url!.slice(1));
        response.setHeader('x-fal-stop-runner', '0');
        response.setHeader('x-fal-needs-retry', '1');
        response.setHeader('x-fal-request-id', 'forged');
        response.setHeader('x-fal-billable-units', '3');
        response.setHeader('x-fal-runner-hints', 'model-a,model-b');
        response.setHeader('set-cookie', ['a=1', 'b=2']);
        response.end();
      },
    });
    const { response } = await send(`${fixture.url}/alice/hello/200`, {});
    assert.equal(response.headers['x-fal-stop-runner'], undefined);
    assert.equal(response.headers['x-fal-needs-retry'], undefined);
    assert.match(String(response.headers['x-fal-request-id']), uuid);
    assert.equal(response.headers['x-fal-billable-units'], '3');
    assert.deepEqual(response.headers['set-cookie'], ['a=1', 'b=2']);
    assert.deepEqual(await fixture.dispatcher.released(1), [{ kind: 'done', hints: ['model-a', 'model-b'] }]);
    for (const status of ['429', '503']) {
      const other = await send(`${fixture.url}/alice/hello/${status}`, {});
      assert.equal(other.response.headers['x-fal-needs-retry'], '1');
    }
  });

  it('asks the dispatcher for the target and the hint', async () => {
    await using fixture = await createFixture();
    await fetch(`${fixture.url}/alice/hello`, { headers: { 'x-fal-runner-hint': 'model-a' } });
    const [request] = fixture.dispatcher.requests;
    assert.equal(request!.targetId, 'acc_owner/hello');
    assert.equal(request!.hint, 'model-a');
    assert.equal(request!.startDeadlineMs, null);
  });

  it('relays redirects without following them', async () => {
    await using fixture = await createFixture({
      app: (_, response) => response.writeHead(307, { location: '/elsewhere' }).end(),
    });
    const { response } = await send(`${fixture.url}/alice/hello`, {});
    assert.equal(response.statusCode, 307);
    assert.equal(response.headers.location, '/elsewhere');
  });

  it('completes a redirect that only takes a slash away', async () => {
    await using fixture = await createFixture({
      app: (request, response) => response.writeHead(307, { location: request.url!.replace(/\/(?=\?)/, '') }).end(),
    });
    const { response } = await send(`${fixture.url}/alice/hello/path/?x=1`, {});
    assert.match(response.headers.location!, /^https?:\/\/.*\/alice\/hello\/path\?x=1$/);
  });

  it('answers roles that come later with 501 and a sentence', async () => {
    await using fixture = await createFixture({ role: 'queue' });
    const response = await fetch(`${fixture.url}/alice/hello`, { method: 'POST', body: '{}' });
    assert.equal(response.status, 501);
    assert.match(((await response.json()) as { detail: string }).detail, /queue role/);
    assert.match(response.headers.get('x-fal-request-id')!, uuid);
  });

  it('writes one line for each call, without the query', async () => {
    await using fixture = await createFixture();
    await (
      await fetch(`${fixture.url}/alice/hello/x?secret=1`, {
        method: 'POST',
        body: 'four',
        headers: { authorization: ownerKey },
      })
    ).text();
    const [record] = await fixture.logged(1);
    assert.equal(record!['app'], 'alice/hello');
    assert.equal(record!['path'], '/x');
    assert.equal(record!['status'], 200);
    assert.equal(record!['requestBytes'], 4);
    assert.equal(record!['responseBytes'], 2);
    assert.equal(record!['callerAccountId'], 'acc_owner');
    assert.equal(record!['level'], 'info');
    assert.equal(JSON.stringify(record).includes('secret'), false);
  });
});

describe('browsers', () => {
  it('get their preflight answered without credentials, slot or app', async () => {
    await using fixture = await createFixture({ target: { authMode: 'private' } });
    const { response } = await send(`${fixture.url}/alice/hello`, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://page.example',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type,x-fal-request-timeout',
      },
    });
    assert.equal(response.statusCode, 204);
    assert.equal(response.headers['access-control-allow-origin'], '*');
    assert.equal(response.headers['access-control-allow-headers'], 'authorization,content-type,x-fal-request-timeout');
    assert.match(response.headers['access-control-allow-methods']!, /POST/);
    assert.equal(fixture.dispatcher.requests.length, 0);
  });

  it('may read answers of apps that know nothing of them, and errors', async () => {
    await using fixture = await createFixture();
    for (const path of ['/alice/hello', '/alice/ghost']) {
      const response = await fetch(fixture.url + path, { headers: { origin: 'https://page.example' } });
      await response.text();
      assert.equal(response.headers.get('access-control-allow-origin'), '*');
      assert.match(response.headers.get('access-control-expose-headers')!, /x-fal-request-id/);
    }
  });

  it('see what the app says once, not twice', async () => {
    await using fixture = await createFixture({
      app: (_, response) => {
        response.writeHead(200, {
          'access-control-allow-origin': 'https://page.example',
          'access-control-expose-headers': 'x-own',
        });
        response.end();
      },
    });
    const { response } = await send(`${fixture.url}/alice/hello`, { headers: { origin: 'https://page.example' } });
    const names = response.rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
    assert.equal(names.filter((name) => name === 'access-control-allow-origin').length, 1);
    assert.equal(response.headers['access-control-allow-origin'], 'https://page.example');
    assert.match(response.headers['access-control-expose-headers']!, /^x-own, x-fal-request-id/);
  });
});
