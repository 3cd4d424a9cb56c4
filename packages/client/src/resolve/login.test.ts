import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { isClientError } from '../errors/client-error.ts';
import { ServerlessClient } from '../serverless-client.ts';
import type { Fetch } from '../transport/http-transport.ts';

const minuteMs = 60_000;

/** A JWT as an identity provider makes them; nobody here looks at its signature. */
function token(name: string, endsInMs: number): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor((Date.now() + endsInMs) / 1000);
  return `${part({ alg: 'RS256' })}.${part({ sub: name, exp })}.c2lnbmF0dXJl`;
}

/** The identity provider and the REST of a platform, in one server. */
describe('a login', () => {
  let server: Server;
  let origin: string;
  let home: string;
  let grants: URLSearchParams[];
  let bearers: (string | undefined)[];
  let answer: () => { status: number; body: unknown };

  before(async () => {
    server = createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += String(chunk);
      const isGrant = request.url === '/oauth/token';
      if (isGrant) grants.push(new URLSearchParams(body));
      else bearers.push(request.headers.authorization);
      const { status, body: reply } = isGrant
        ? answer()
        : { status: 200, body: { nickname: 'ada', user_id: 'u1', full_name: 'Ada', is_personal: true } };
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(reply));
    });
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => new Promise((done) => server.close(done)));
  afterEach(() => rmSync(home, { recursive: true }));
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'lanner-login-'));
    grants = [];
    bearers = [];
    answer = () => ({ status: 200, body: { access_token: token('new', 24 * 60 * minuteMs), refresh_token: 'second' } });
  });

  const toServer: Fetch = (url, init) => fetch(url.replace(/^https:\/\/[^/]+/, origin), init as RequestInit);
  const client = (fetchWith: Fetch = toServer): ServerlessClient =>
    new ServerlessClient({ environment: { HOME: home, FAL_HOME_DIR: home }, fetch: fetchWith });
  const save = (...lines: string[]): void => writeFileSync(join(home, 'auth0_token'), lines.join('\n'));
  const saved = (): string[] => readFileSync(join(home, 'auth0_token'), 'utf8').split('\n');
  const failure = async (of: ServerlessClient): Promise<{ code: string; message: string }> => {
    const error: unknown = await of.accounts.current().catch((thrown: unknown) => thrown);
    assert.ok(isClientError(error), String(error));
    return error;
  };

  it('is used as it is while its token has half an hour left', async () => {
    const fresh = token('old', 31 * minuteMs);
    save('first', fresh);
    assert.equal((await client().accounts.current()).nickname, 'ada');
    assert.deepEqual(bearers, [`Bearer ${fresh}`]);
    assert.deepEqual(grants, []);
  });

  it('is renewed once for all calls when its token is about to end, or was never there', async () => {
    for (const lines of [['first', token('old', 29 * minuteMs)], ['first'], ['first', 'no token at all']]) {
      save(...lines);
      grants = [];
      const one = client();
      await Promise.all([one.accounts.current(), one.accounts.current(), one.accounts.current()]);
      await one.accounts.current();
      assert.equal(grants.length, 1);
      assert.deepEqual(Object.fromEntries(grants[0]!), {
        grant_type: 'refresh_token',
        client_id: 'TwXR51Vz8JbY8GUUMy6EyuVR0fTO7N4N',
        refresh_token: 'first',
      });
      assert.equal(saved()[0], 'second', 'the rotated token is kept');
      assert.equal(bearers.at(-1), `Bearer ${saved()[1]}`);
      assert.equal(statSync(join(home, 'auth0_token')).mode & 0o777, 0o600);
    }
  });

  it('is renewed again in a client that lives longer than its token, and not for every call of a short one', async () => {
    save('first');
    answer = () => ({ status: 200, body: { access_token: token('short', 5 * minuteMs) } });
    const one = client();
    await one.accounts.current();
    await one.accounts.current();
    assert.equal(grants.length, 1);
    assert.equal(saved()[0], 'first', 'a provider that does not rotate');
    answer = () => ({ status: 200, body: { access_token: token('ending', minuteMs / 2) } });
    save('first');
    const two = client();
    await assert.rejects(two.accounts.current(), /has ended/);
  });

  it('that cannot be renewed says why, where it lies and what to do, and stays there', async () => {
    save('first', token('old', 0));
    answer = () => ({
      status: 403,
      body: { error: 'invalid_grant', error_description: 'Unknown or invalid refresh token.' },
    });
    const refused = await failure(client());
    assert.equal(refused.code, 'login_expired');
    assert.match(refused.message, /auth0_token has ended and could not be renewed: Unknown or invalid refresh token/);
    const unreachable = await failure(
      client(async () => Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' }))),
    );
    assert.equal(unreachable.code, 'login_expired');
    assert.match(unreachable.message, /Could not reach auth\.fal\.ai: its name does not resolve/);
    assert.equal(saved()[0], 'first');
    assert.deepEqual(bearers, []);
  });

  it('that another program renewed at the same time is taken from there', async () => {
    save('first', token('old', 0));
    answer = () => {
      save('theirs', token('theirs', 60 * minuteMs));
      return { status: 403, body: { error: 'invalid_grant' } };
    };
    await client().accounts.current();
    assert.equal(saved()[0], 'theirs');
    assert.equal(bearers[0], `Bearer ${saved()[1]}`);
  });

  it('is not looked for when there is a key, and all places are named when there is nothing', async () => {
    save('first', token('old', 0));
    const withKey = new ServerlessClient({
      environment: { HOME: home, FAL_HOME_DIR: home, FAL_KEY: 'a:b' },
      fetch: toServer,
    });
    await withKey.accounts.current();
    assert.deepEqual([grants.length, bearers[0]], [0, 'Key a:b']);
    rmSync(join(home, 'auth0_token'));
    const nothing = await failure(client());
    assert.equal(nothing.code, 'no_credentials');
    for (const place of ['apiKey', 'LANNER_KEY', 'FAL_KEY', 'config.toml', 'FAL_KEY_ID', 'auth0_token'])
      assert.ok(nothing.message.includes(place), place);
  });
});
