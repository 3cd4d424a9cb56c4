import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ensurePythonEnv } from '../../scripts/python-env.ts';
import { startPlatform, type CommandResult, type Platform } from './platform.ts';

const domain = 'lanner.test';
const names = [domain, ...['api', 'rest', 'queue', 'ws', 'kv', 'cdn'].map((label) => `${label}.${domain}`)];

/** Clients of domain mode see a hosts file of their own, as DNS would tell them; that takes a mount namespace. */
const canMount =
  spawnSync('unshare', ['--user', '--map-root-user', '--mount', 'sh', '-c', 'mount --bind /etc/hosts /etc/hosts'])
    .status === 0;
const domainOnly = canMount ? {} : { skip: 'no mount namespace for a hosts file of our own' };

const callers = `
import fal_client
print("run", fal_client.run("acme/various", arguments={})["most_active"])
for event in fal_client.stream("acme/various", arguments={}):
    print("event", event["step"])
import asyncio
async def main():
    print("async", (await fal_client.run_async("acme/various", arguments={}))["most_active"])
    async for event in fal_client.stream_async("acme/various", arguments={}):
        print("async event", event["step"])
asyncio.run(main())
`;
const saidByCallers = /^run 0\nevent 0\nevent 1\nevent 2\nasync 0\nasync event 0\nasync event 1\nasync event 2\n$/;

const socketCaller = (url: string): string => `
import asyncio, os, ssl, websockets
async def main():
    headers = {"Authorization": "Key " + os.environ["FAL_KEY"]}
    context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    async with websockets.connect("${url}", additional_headers=headers, ssl=context, proxy=None) as socket:
        await socket.send("stressed")
        print(await socket.recv())
asyncio.run(main())
`;

const ok = ({ code, stdout, stderr }: CommandResult): string => {
  assert.equal(code, 0, stdout + stderr);
  return stdout;
};

describe('path mode and domain mode over TLS, on one platform', () => {
  let platform: Platform;
  let folder: string;
  let inDomain: Record<string, string>;
  let falCli: string;
  let python: string;
  let tlsPort: number;
  let trust: string;

  before(async () => {
    platform = await startPlatform({ serveArgs: ['--domain', domain] });
    const pythonEnv = await ensurePythonEnv();
    falCli = join(pythonEnv.bin, 'fal');
    python = pythonEnv.python;
    folder = await mkdtemp(join(tmpdir(), 'lanner-addresses-'));
    await writeFile(join(folder, 'hosts'), `127.0.0.1 localhost ${names.join(' ')}\n`);
    inDomain = JSON.parse(
      ok(await platform.lanner(['env', '--data-dir', platform.dataDir, '--format', 'json'])),
    ) as Record<string, string>;
    ({ tlsPort } = JSON.parse(await readFile(join(platform.dataDir, 'run/server.json'), 'utf8')) as {
      tlsPort: number;
    });
    trust = platform.variables['SSL_CERT_FILE']!;
    ok(await platform.fal(['deploy', 'test/system/apps/various.py::Various']));
  });
  after(async () => {
    await platform.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** Runs a program with the variables of domain mode and names that resolve. */
  const withNames = (
    command: string,
    args: string[],
    env: Record<string, string | undefined> = {},
  ): Promise<CommandResult> =>
    platform.run(
      'unshare',
      [
        '--user',
        '--map-root-user',
        '--mount',
        'sh',
        '-c',
        `mount --bind '${folder}/hosts' /etc/hosts && exec "$@"`,
        'sh',
        command,
        ...args,
      ],
      { env: { ...inDomain, ...env } },
    );
  const curl = (args: string[]): Promise<CommandResult> =>
    platform.run('curl', ['-sS', '--cacert', trust, '--noproxy', '*', ...args]);

  it('serves curl over TLS at localhost and 127.0.0.1, and ends nowhere without our authority', async () => {
    for (const host of ['localhost', '127.0.0.1']) {
      const answer = ok(
        await curl([
          '-i',
          '-X',
          'POST',
          '-H',
          `Authorization: Key ${platform.variables['FAL_KEY']}`,
          `https://${host}:${tlsPort}/run/acme/various/`,
        ]),
      );
      assert.match(answer, /^HTTP\/2 200/, host);
      assert.match(answer, /x-fal-request-id: [0-9a-f-]{36}/);
    }
    await assert.rejects(
      new Promise((settle, reject) => {
        request({ host: '127.0.0.1', port: tlsPort, path: '/', ca: [] }, settle).on('error', reject).end();
      }),
      /certificate/,
    );
  });

  it('lets fal_client run and stream in path mode, sync and async', async () => {
    assert.match(ok(await platform.python(callers)), saidByCallers);
  });

  it('carries WebSockets over TLS in path mode', async () => {
    assert.equal(
      ok(await platform.python(socketCaller(`wss://localhost:${tlsPort}/run/acme/various/ws`))),
      'desserts\n',
    );
  });

  it('prints variables for both modes', () => {
    assert.equal(platform.variables['FAL_RUN_HOST'], `localhost:${tlsPort}/run`);
    assert.equal(inDomain['FAL_HOST'], `api.${domain}:${tlsPort}`);
    assert.equal(inDomain['FAL_RUN_HOST'], `${domain}:${tlsPort}`);
    assert.ok(inDomain['no_proxy']!.split(',').includes(domain));
  });

  it('routes every name of the domain to its role, with a certificate that fits it', async () => {
    const ask = async (host: string, path: string, ...more: string[]): Promise<{ status: string; body: string }> => {
      const printed = ok(
        await curl([
          '-w',
          '\n%{http_code}',
          '--resolve',
          `${host}:${tlsPort}:127.0.0.1`,
          ...more,
          `https://${host}:${tlsPort}${path}`,
        ]),
      );
      const at = printed.lastIndexOf('\n');
      return { status: printed.slice(at + 1), body: printed.slice(0, at) };
    };
    const key = ['-H', `Authorization: Key ${platform.variables['FAL_KEY']}`];
    const called = await ask(domain, '/acme/various/', '-X', 'POST', ...key);
    assert.equal(called.status, '200', called.body);
    for (const label of ['api', 'rest']) {
      const user = await ask(`${label}.${domain}`, '/users/current', ...key);
      assert.equal(user.status, '200', user.body);
      assert.match(user.body, /acme/);
    }
    const queued = await ask(`queue.${domain}`, '/acme/various', '-X', 'POST', ...key);
    assert.equal(queued.status, '200', queued.body);
    const { status_url: statusUrl } = JSON.parse(queued.body) as { status_url: string };
    assert.ok(statusUrl.startsWith(`https://queue.${domain}:${tlsPort}/acme/various/requests/`), statusUrl);
    const socketOnly = await ask(`ws.${domain}`, '/acme/various', '-X', 'POST', ...key);
    assert.equal(socketOnly.status, '400', socketOnly.body);
    assert.match(socketOnly.body, /speaks WebSocket only/);
    const unknown = await ask(`nothing.${domain}`, '/acme/various', ...key);
    assert.equal(unknown.status, '404');
    assert.match(unknown.body, /nothing\.lanner\.test/);
  });

  it('serves the official clients in domain mode', domainOnly, async () => {
    const listed = ok(await withNames(falCli, ['apps', 'list', '--output', 'json']));
    assert.match(listed, /various/);
    // nothing but FAL_HOST: the client derives every other host from it
    const derived = {
      FAL_GRPC_HOST: undefined,
      FAL_REST_HOST: undefined,
      FAL_RUN_HOST: undefined,
      FAL_QUEUE_RUN_HOST: undefined,
      FAL_WS_RUN_HOST: undefined,
    };
    assert.match(ok(await withNames(falCli, ['apps', 'list', '--output', 'json'], derived)), /various/);
    const deployed = ok(
      await withNames(falCli, ['deploy', 'test/system/apps/simple.py::SimpleApp', '--app-name', 'by-domain'], derived),
    );
    assert.match(
      deployed.replace(/\n\s*/g, ''),
      new RegExp(`https://${domain}:${tlsPort}/acme/by-domain`),
      'links keep to the names by which the caller came',
    );
    assert.match(ok(await withNames(python, ['-c', callers])), saidByCallers);
  });

  it('carries WebSockets in domain mode', domainOnly, async () => {
    assert.equal(
      ok(await withNames(python, ['-c', socketCaller(`wss://${domain}:${tlsPort}/acme/various/ws`)])),
      'desserts\n',
    );
  });
});
