import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ensurePythonEnv } from '../../scripts/python-env.ts';
import {
  lannerBin,
  repositoryRoot,
  startPlatform,
  type CommandResult,
  type Platform,
  type RunOptions,
} from './platform.ts';
import { startRecordingProxy, type RecordingProxy } from './recording-proxy.ts';

/** What a user of the hosted platform has in the shell. None of it may leave, or lead anywhere. */
const hosted = {
  FAL_KEY: 'hosted-id:hosted-secret',
  FAL_KEY_ID: 'hosted-id',
  FAL_KEY_SECRET: 'hosted-secret',
  FAL_HOST: 'api.fal.ai',
  FAL_GRPC_HOST: 'api.fal.ai',
  FAL_REST_HOST: 'rest.fal.ai',
  FAL_RUN_HOST: 'fal.run',
};

const pythonCaller = `
import asyncio, fal_client
print("run", fal_client.run("acme/various", arguments={})["most_active"])
for event in fal_client.stream("acme/various", arguments={}):
    print("event", event["step"])
async def main():
    print("async", (await fal_client.run_async("acme/various", arguments={}))["most_active"])
    async for event in fal_client.stream_async("acme/various", arguments={}):
        print("async event", event["step"])
asyncio.run(main())
`;
const saidByPython = /^run 0\nevent 0\nevent 1\nevent 2\nasync 0\nasync event 0\nasync event 1\nasync event 2\n$/;

const nodeCaller = `import { createRequire } from 'node:module';
const { fal } = createRequire(${JSON.stringify(join(repositoryRoot, 'package.json'))})('@fal-ai/client');
console.log('node', Number(process.versions.node.split('.')[0]) >= 24);
console.log('run', (await fal.run('acme/various', { input: {} })).data.most_active);
const stream = await fal.stream('acme/various', { input: {} });
for await (const event of stream) console.log('event', event.step);
`;
const saidByNode = /^node true\nrun 0\nevent 0\nevent 1\nevent 2\n$/;

/** A folder of PATH with a Node older than 24, or null. */
function folderOfOldNode(): string | null {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    if (folder.includes('node_modules') || !existsSync(join(folder, 'node'))) continue;
    const { stdout } = spawnSync(join(folder, 'node'), ['--version'], { encoding: 'utf8' });
    if (/^v(1\d|2[0-3])\./.test(stdout ?? '')) return folder;
  }
  return null;
}

describe('lanner exec where the environment leads elsewhere', () => {
  let platform: Platform;
  let proxy: RecordingProxy;
  let elsewhere: Server;
  let folder: string;
  let script: string;
  let python: { python: string; bin: string };
  let askedElsewhere = 0;

  before(async () => {
    platform = await startPlatform();
    python = await ensurePythonEnv();
    folder = await mkdtemp(join(tmpdir(), 'lanner-intercept-'));
    script = join(folder, 'call.mjs');
    await writeFile(script, nodeCaller);
    const certificate = await readFile(join(platform.dataDir, 'ca/leaf-local.pem'), 'utf8');
    elsewhere = createServer({ key: certificate, cert: certificate }, (_request, response) => {
      askedElsewhere += 1;
      response.end('elsewhere');
    });
    await new Promise<void>((settle) => elsewhere.listen(0, '127.0.0.1', settle));
    proxy = await startRecordingProxy({ port: (elsewhere.address() as AddressInfo).port });
    const deployed = await platform.fal(['deploy', 'test/system/apps/various.py::Various']);
    assert.equal(deployed.code, 0, deployed.stdout + deployed.stderr);
  });
  after(async () => {
    await platform.stop();
    await proxy.stop();
    elsewhere.closeAllConnections();
    await new Promise((settle) => elsewhere.close(settle));
    await rm(folder, { recursive: true, force: true });
  });

  const exec = (
    command: string[],
    env: Record<string, string | undefined> = {},
    options: RunOptions = {},
  ): Promise<CommandResult> =>
    platform.lanner(['exec', '--data-dir', platform.dataDir, '--', ...command], {
      ...options,
      env: { ...hosted, ...env },
    });
  const output = async (result: Promise<CommandResult>): Promise<string> => {
    const { code, stdout, stderr } = await result;
    assert.equal(code, 0, stdout + stderr);
    return stdout;
  };
  const corporate = (): Record<string, string> => ({
    https_proxy: proxy.url,
    HTTPS_PROXY: proxy.url,
    http_proxy: proxy.url,
    HTTP_PROXY: proxy.url,
    ALL_PROXY: proxy.url,
    grpc_proxy: proxy.url,
  });

  const situations: [string, () => Record<string, string>][] = [
    ['with nothing but a key of the hosted platform', () => ({})],
    ["with a company's proxy", corporate],
    ["with a company's proxy and no_proxy=*", () => ({ ...corporate(), no_proxy: '*', NO_PROXY: '*' })],
    [
      "with fal's hosts exempt from the proxy",
      () => ({
        ...corporate(),
        no_proxy: 'fal.run,.fal.ai,fal.media',
        NO_PROXY: '.fal.run,fal.ai',
        no_grpc_proxy: '*',
      }),
    ],
  ];
  for (const [situation, environment] of situations) {
    it(`leads every official client here ${situation}`, async () => {
      const env = environment();
      proxy.seen.length = 0;
      assert.match(await output(exec([python.python, '-c', pythonCaller], env)), saidByPython);
      assert.match(await output(exec(['node', script], env)), saidByNode);
      assert.match(await output(exec([join(python.bin, 'fal'), 'apps', 'list', '--output', 'json'], env)), /various/);
      assert.deepEqual(proxy.seen, [], "nothing of fal's reached the company's proxy");
    });
  }

  it("takes every other host through the company's proxy, and as no_proxy says", async () => {
    const ask = `import httpx, sys; print(httpx.get(sys.argv[1], verify=False).text)`;
    proxy.seen.length = 0;
    assert.equal(await output(exec([python.python, '-c', ask, 'https://elsewhere.test/'], corporate())), 'elsewhere\n');
    assert.deepEqual(proxy.seen, ['elsewhere.test:443']);
    proxy.seen.length = 0;
    const { port } = elsewhere.address() as AddressInfo;
    assert.equal(
      await output(exec([python.python, '-c', ask, `https://localhost:${port}/`], corporate())),
      'elsewhere\n',
    );
    assert.deepEqual(proxy.seen, [], 'loopback is reached directly');
    assert.equal(askedElsewhere, 2);
  });

  it('deploys, runs and calls by the hosts of the hosted platform, whoever calls', async () => {
    const env = corporate();
    proxy.seen.length = 0;
    const cli = join(python.bin, 'fal');
    const deployed = await output(
      exec([cli, 'deploy', 'test/system/apps/simple.py::SimpleApp', '--app-name', 'by-exec'], env),
    );
    assert.match(
      deployed.replace(/\n\s*/g, ''),
      /https:\/\/fal\.run\/acme\/by-exec/,
      'links keep to the names by which the caller came',
    );
    assert.match(
      await output(exec([cli, 'run', 'test/system/apps/functions.py::versions'], env)),
      /hello from the function/,
    );
    const url = 'https://fal.run/acme/by-exec/';
    const withKey = 'Authorization: Key $FAL_KEY';
    const curl = `curl -sS -d '{"a": 40, "b": 2}' -H 'Content-Type: application/json' -H "${withKey}" ${url}`;
    assert.match(await output(exec(['sh', '-c', curl], env)), /"sum":42/);
    const urllib = `
import os, urllib.request
headers = {"Authorization": "Key " + os.environ["FAL_KEY"], "Content-Type": "application/json"}
print(urllib.request.urlopen(urllib.request.Request("${url}", b'{"a": 40, "b": 2}', headers)).read().decode())
`;
    assert.match(await output(exec([python.python, '-c', urllib], env)), /"sum":42/);
    const https = `
require('https').request('${url}', { method: 'POST', headers: { authorization: 'Key ' + process.env.FAL_KEY, 'content-type': 'application/json' } },
  (response) => response.pipe(process.stdout)).end('{"a": 40, "b": 2}');
`;
    assert.match(await output(exec(['node', '-e', https], env)), /"sum":42/);
    const socket = `
const socket = new WebSocket('wss://fal.run/acme/various/ws', { headers: { authorization: 'Key ' + process.env.FAL_KEY } });
socket.onopen = () => socket.send('stressed');
socket.onmessage = ({ data }) => { console.log(data); socket.close(); };
socket.onerror = (error) => { console.error(error.message); process.exitCode = 1; };
`;
    assert.equal(await output(exec(['node', '-e', socket], env)), 'desserts\n');
    assert.deepEqual(proxy.seen, []);
  });

  it("keeps path mode away from the company's proxy, too", async () => {
    const before = { ...corporate(), no_proxy: 'intranet.test', NO_PROXY: 'intranet.test' };
    const variables = JSON.parse(
      await output(platform.lanner(['env', '--data-dir', platform.dataDir, '--format', 'json'], { env: before })),
    ) as Record<string, string>;
    proxy.seen.length = 0;
    const env = { ...before, ...variables };
    assert.match(await output(platform.run(python.python, ['-c', pythonCaller], { env })), saidByPython);
    assert.match(
      await output(platform.run(join(python.bin, 'fal'), ['apps', 'list', '--output', 'json'], { env })),
      /various/,
    );
    assert.deepEqual(proxy.seen, []);
    assert.match(variables['no_proxy']!, /intranet\.test/, 'exceptions of the caller are kept');
  });

  const oldNode = folderOfOldNode();
  const withOldNode = oldNode === null ? { skip: 'this machine has no Node older than 24' } : {};
  /** The PATH of a machine whose own Node is old. */
  const oldPath = (): Record<string, string> => ({ PATH: [oldNode!, python.bin, '/usr/bin', '/bin'].join(delimiter) });

  it('leads @fal-ai/client here where the own Node of the machine is too old', withOldNode, async () => {
    proxy.seen.length = 0;
    assert.match(await output(exec(['node', script], { ...oldPath(), ...corporate() })), saidByNode);
    assert.deepEqual(proxy.seen, []);
  });

  it('runs on an old Node as the command itself, too', withOldNode, async () => {
    const { code, stdout, stderr } = await platform.run(
      join(oldNode!, 'node'),
      [lannerBin, 'exec', '--data-dir', platform.dataDir, '--', 'node', script],
      { env: { ...hosted, ...oldPath() } },
    );
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, saidByNode);
  });

  it("never lets an old Node called by its path reach fal's hosts directly", withOldNode, async () => {
    const result = await exec([join(oldNode!, 'node'), script], { ...oldPath(), ...corporate() });
    if (result.code === 0) assert.match(result.stdout, /^run 0$/m);
    else assert.match(result.stderr, /reach fal\.run without the proxy.*use Node 24 or newer/);
  });

  it('stops a Node that goes past the proxy, and says so', async () => {
    const { code, stderr } = await exec(['env', '-u', 'NODE_USE_ENV_PROXY', 'node', script], {
      NODE_OPTIONS: '--no-deprecation',
    });
    assert.equal(code, 1);
    assert.match(stderr, /reach fal\.run without the proxy/);
  });

  it('passes standard input, output, exit codes and signals on', async () => {
    assert.equal(await output(exec(['cat'], {}, { input: 'to and fro' })), 'to and fro');
    assert.equal((await exec(['sh', '-c', 'exit 41'])).code, 41);
    assert.equal((await exec(['sh', '-c', 'kill -9 $$'])).code, 137);
    assert.equal((await exec(['no-such-program'])).code, 127);
    const child = spawn(
      process.execPath,
      [
        lannerBin,
        'exec',
        '--data-dir',
        platform.dataDir,
        '--',
        'sh',
        '-c',
        'trap "echo caught; exit 9" TERM; echo up; while :; do sleep 0.1; done',
      ],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    const ended = new Promise((settle) => child.once('exit', settle));
    let said = '';
    for await (const piece of child.stdout.setEncoding('utf8')) {
      said += piece as string;
      if (said === 'up\n') child.kill('SIGTERM');
    }
    assert.equal(said, 'up\ncaught\n');
    await ended;
    assert.equal(child.exitCode, 9);
  });
});
