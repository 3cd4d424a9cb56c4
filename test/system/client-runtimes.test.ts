/** The packed client where people run it besides our own Node: Node 20, Bun, and a page in a browser. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, extname, join, normalize } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { toolOrReason } from '../../scripts/tool-env.ts';
import { findBrowser, openPage } from './find-browser.ts';
import { installPackedClient } from './packed-client.ts';
import { bareEnvironment, runCommand, startPlatform, type Platform } from './platform.ts';

/** What every runtime does with calls of apps; the page has nothing else. */
const calls = `
async function callApp(client, id) {
  const seen = {};
  seen.account = (await client.accounts.current()).nickname;
  seen.sum = (await client.run(id, { input: { a: 40, b: 2 } })).data.sum;
  seen.events = [];
  for await (const event of client.stream(id, { path: '/events', input: {} })) seen.events.push(event);
  seen.realtime = await new Promise((done) => {
    const results = [];
    const connection = client.realtime.connect(id, {
      onResult: ({ sum }) => results.push(sum) === 3 && connection.close().then(() => done(results)),
      onError: ({ code, message }) => done([code, message]),
    });
    for (const a of [1, 2, 3]) connection.send({ a });
  });
  const states = [];
  const { data, requestId } = await client.subscribe(id, {
    input: { a: 1, b: 2 }, pollIntervalMs: 50, onStatus: ({ status }) => states.push(status),
  });
  seen.queued = data.sum;
  seen.completed = states.includes('COMPLETED') && requestId.length > 8;
  await client.run(id, { path: '/status?code=418', input: {} }).catch((error) => {
    seen.refused = [error.name, error.code, error.status, error.requestId?.length > 8];
  });
  const stop = new AbortController();
  const slow = client.run(id, { path: '/slow', input: {}, signal: stop.signal }).catch((error) => error.code);
  setTimeout(() => stop.abort(), 200);
  seen.cancelled = await slow;
  seen.late = await client.run(id, { path: '/slow', input: {}, timeoutMs: 200 }).catch((error) => error.code);
  return seen;
}
`;

const expectedCalls = {
  account: 'acme',
  sum: 42,
  events: [0, 1, 2],
  realtime: [2, 4, 6],
  queued: 3,
  completed: true,
  refused: ['AppError', 'app_error', 418, true],
  cancelled: 'cancelled',
  late: 'timed_out',
};

/** Node and Bun have the controller too. The program has to end by itself, with its connections still open. */
const program = `import { ServerlessClient } from '@lanner/client';
${calls}
const client = new ServerlessClient();
const seen = await callApp(client, 'acme/simpleapp');
seen.apps = (await client.apps.list()).map(({ alias }) => alias);
seen.keepAlive = (await client.apps.scale('simpleapp', { keepAlive: 61 })).keepAlive;
await client.secrets.set('FROM_RUNTIME', 'x');
for await (const secret of client.secrets.list()) seen.secret = secret.name;
const [runner] = await client.apps.runners('simpleapp');
seen.logs = (await client.runners.logs(runner.runnerId)).length > 0;
// Python is started and asked, whatever starts it.
seen.deploy = await client.deploy('app.py::Nobody').then(() => 'deployed', (error) => error.code);
const wrong = new ServerlessClient({ apiKey: 'no colon' });
seen.wrong = await wrong.apps.list().then(() => 'listed', (error) => error.code);
console.log(JSON.stringify(seen));
`;

const expectedProgram = {
  ...expectedCalls,
  apps: ['simpleapp'],
  keepAlive: 61,
  secret: 'FROM_RUNTIME',
  logs: true,
  deploy: 'app_not_in_file',
  wrong: 'invalid_key',
};

describe('the packed client', () => {
  let platform: Platform;
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lanner-runtimes-'));
    platform = await startPlatform();
    await installPackedClient(folder);
    await writeFile(join(folder, 'package.json'), '{"type":"module"}');
    await writeFile(join(folder, 'program.js'), program);
    await writeFile(join(folder, 'app.py'), 'import fal\n\nclass App(fal.App):\n    pass\n');
    const deployed = await platform.fal(['deploy', 'test/system/apps/simple.py::SimpleApp', '--app-name', 'simpleapp']);
    assert.equal(deployed.code, 0, deployed.stdout + deployed.stderr);
  });
  after(async () => {
    await platform.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const runProgram = async (command: string): Promise<unknown> => {
    const result = await platform.run(command, ['program.js'], { cwd: folder, timeoutMs: 60_000 });
    assert.equal(result.code, 0, result.stdout + result.stderr);
    assert.equal(result.stderr, '', 'it warns of nothing');
    return JSON.parse(result.stdout.trim().split('\n').at(-1) ?? '') as unknown;
  };

  it('works on Node 20', async (test) => {
    const node = await olderNode();
    if (node === undefined) return test.skip('no Node 20 to 23 is on PATH');
    assert.deepEqual(await runProgram(node), expectedProgram);
  });

  it('works on Bun', async (test) => {
    const tool = await toolOrReason('bun');
    if ('reason' in tool) return test.skip(tool.reason);
    const name = `bun-${process.platform}-${process.arch === 'arm64' ? 'aarch64' : process.arch}`;
    assert.deepEqual(await runProgram(join(tool.folder, 'node_modules/@oven', name, 'bin/bun')), expectedProgram);
  });

  it('works in a page of another origin, as plain modules, without a bundler', async (test) => {
    const browser = await findBrowser();
    if ('reason' in browser) return test.skip(browser.reason);
    const options = { host: platform.variables['FAL_GRPC_HOST'], apiKey: platform.variables['FAL_KEY'] };
    const page = `<!doctype html><script type="module">
      ${calls}
      const report = (body) => fetch('/report', { method: 'POST', body: JSON.stringify(body) });
      try {
        const { ServerlessClient } = await import('/modules/browser.js');
        const client = new ServerlessClient(${JSON.stringify(options)});
        const seen = await callApp(client, 'acme/simpleapp');
        const stranger = new ServerlessClient({ host: ${JSON.stringify(options.host)}, apiKey: 'nobody:x' });
        await stranger.run('acme/simpleapp').catch((error) => (seen.stranger = error.code));
        await stranger.accounts.current().catch((error) => (seen.strangerOverRest = error.code));
        try { client.apps.list(); } catch (error) { seen.apps = error.code; }
        await report(seen);
      } catch (error) {
        await report({ error: String(error), code: error.code, cause: String(error.cause), stack: error.stack });
      }
    </script>`;
    await using pages = await servePage(page, join(folder, 'node_modules/@lanner/client/dist/esm'));
    await using opened = await openPage(browser, pages.url);
    const seen = await Promise.race([
      pages.reported,
      new Promise((_, fail) =>
        setTimeout(() => fail(new Error(`the page reported nothing; ${opened.output()}`)), 60_000).unref(),
      ),
    ]);
    assert.deepEqual(seen, {
      ...expectedCalls,
      stranger: 'unauthenticated',
      strangerOverRest: 'unauthenticated',
      apps: 'not_supported_here',
    });
  });
});

/** A Node from 20 to 23 on PATH, our own left out. */
async function olderNode(): Promise<string | undefined> {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((entry) => !entry.includes('node_modules'));
  for (const entry of folders) {
    const path = join(entry, 'node');
    if (!existsSync(path)) continue;
    const answer = await runCommand(path, ['--version'], bareEnvironment(tmpdir())).catch(() => undefined);
    if (answer?.code === 0 && /^v2[0-3]\./.test(answer.stdout)) return path;
  }
  return undefined;
}

/** A page, the modules it imports, and what it reports. */
async function servePage(
  page: string,
  modules: string,
): Promise<AsyncDisposable & { url: string; reported: Promise<unknown> }> {
  let report: (body: unknown) => void = () => undefined;
  const reported = new Promise<unknown>((settle) => (report = settle));
  const server = createServer(async (request, response) => {
    const path = normalize(request.url ?? '/');
    if (request.method === 'POST') {
      let body = '';
      for await (const chunk of request) body += String(chunk);
      response.end();
      return report(JSON.parse(body));
    }
    if (path === '/') return response.setHeader('content-type', 'text/html').end(page);
    const content = await readFile(join(modules, path.replace(/^\/modules\//, ''))).catch(() => undefined);
    if (content === undefined) return response.writeHead(404).end();
    return response.setHeader('content-type', extname(path) === '.js' ? 'text/javascript' : 'text/plain').end(content);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    reported,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
