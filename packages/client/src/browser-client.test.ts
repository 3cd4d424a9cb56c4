import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ServerlessClient } from './browser-client.ts';
import type { Fetch } from './transport/http-transport.ts';

const code = (wanted: string) => (error: unknown) => (error as { code?: string }).code === wanted;

describe('the client for browsers', () => {
  const sent: { url: string; headers: Record<string, string> }[] = [];
  const fetch: Fetch = async (url, { headers }) => {
    sent.push({ url, headers });
    return new Response('{"nickname":"ada"}', { headers: { 'content-type': 'application/json' } });
  };

  it('signs with the key it is given, in code or in the bindings of a runtime', async () => {
    await new ServerlessClient({ host: 'localhost:8443', apiKey: 'id:secret', fetch }).accounts.current();
    const environment = { FAL_GRPC_HOST: 'api.lanner.example', FAL_KEY: 'other:secret' };
    await new ServerlessClient({ environment, fetch }).run('ada/app');
    assert.deepEqual(
      sent.splice(0).map(({ url, headers }) => [url, headers['authorization']]),
      [
        ['https://localhost:8443/users/current', 'Key id:secret'],
        ['https://lanner.example/ada/app/', 'Key other:secret'],
      ],
    );
  });

  it('needs no key where its fetch adds one, and says so where nothing does', async () => {
    await new ServerlessClient({ host: 'localhost:8443', fetch }).run('ada/app');
    assert.equal(sent.splice(0)[0]?.headers['authorization'], undefined);
    await assert.rejects(new ServerlessClient({ host: 'localhost:8443' }).run('ada/app'), code('no_credentials'));
  });

  it('names what is not there, instead of being undefined', () => {
    const client = new ServerlessClient() as unknown as Record<string, unknown>;
    for (const name of ['apps', 'keys', 'secrets', 'environments', 'deploy'])
      assert.throws(() => client[name], code('not_supported_here'));
  });
});
