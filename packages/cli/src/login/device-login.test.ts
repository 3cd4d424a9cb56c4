import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CommandError } from '../output.ts';
import { beginLogin, finishLogin, revokeLogin, type LoginService } from './device-login.ts';

type Call = { url: string; form: Record<string, string> };

/** A login service that gives these answers in turn, and notes what it was asked and how long was waited. */
function serviceOf(
  ...answers: { status: number; body: unknown }[]
): LoginService & { calls: Call[]; waitsMs: number[] } {
  const calls: Call[] = [];
  const waitsMs: number[] = [];
  return {
    calls,
    waitsMs,
    sleep: async (ms) => void waitsMs.push(ms),
    fetch: async (url, init) => {
      calls.push({
        url: String(url),
        form: Object.fromEntries(init!.body as URLSearchParams) as Record<string, string>,
      });
      const { status, body } = answers.shift() ?? assert.fail('asked too often');
      return new Response(JSON.stringify(body), { status });
    },
  };
}

const device = {
  user_code: 'ABCD-EFGH',
  device_code: 'device',
  verification_uri_complete: 'https://auth.example/activate?user_code=ABCD-EFGH',
  interval: 3,
};
const pending = { url: '', userCode: '', deviceCode: 'device', intervalMs: 3000 };
const { signal } = new AbortController();

describe('a login with a browser elsewhere', () => {
  test('begins with a code and a page for the way chosen', async () => {
    const service = serviceOf({ status: 200, body: device });
    const begun = await beginLogin(service, 'github', signal);
    assert.deepEqual([begun.userCode, begun.deviceCode, begun.intervalMs], ['ABCD-EFGH', 'device', 3000]);
    const page = new URL(begun.url);
    assert.equal(page.origin, 'https://fal.ai');
    assert.deepEqual(Object.fromEntries(page.searchParams), {
      user_code: 'ABCD-EFGH',
      verification_uri_complete: device.verification_uri_complete,
      connection: 'github',
    });
    assert.equal(service.calls[0]!.form['audience'], 'fal-cloud');
  });

  test('ends with tokens when the user has confirmed, asking no faster than told', async () => {
    const waiting = { status: 403, body: { error: 'authorization_pending' } };
    const slower = { status: 429, body: { error: 'slow_down' } };
    const tokens = { status: 200, body: { refresh_token: 'refresh', access_token: 'access', id_token: 'x' } };
    const service = serviceOf(waiting, slower, waiting, tokens);
    assert.deepEqual(await finishLogin(service, pending, signal), { refreshToken: 'refresh', accessToken: 'access' });
    assert.deepEqual(service.waitsMs, [3000, 8000, 8000]);
    assert.equal(service.calls[0]!.form['grant_type'], 'urn:ietf:params:oauth:grant-type:device_code');
  });

  test('says why when the user refuses, and when nobody can be reached', async () => {
    const refused = serviceOf({ status: 403, body: { error: 'access_denied', error_description: 'User cancelled.' } });
    await assert.rejects(
      finishLogin(refused, pending, signal),
      (error) => error instanceof CommandError && error.message === 'User cancelled.' && error.exitCode === 1,
    );
    const away: LoginService = {
      fetch: () => Promise.reject(new TypeError('fetch failed')),
      sleep: async () => undefined,
    };
    await assert.rejects(beginLogin(away, undefined, signal), /cannot be reached/);
    await assert.rejects(revokeLogin(serviceOf({ status: 500, body: {} }), 'refresh', signal), CommandError);
  });
});
