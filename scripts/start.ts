/**
 * `npm start`: a platform, the hello app deployed with the official client and called once, and the next commands to try.
 * Extra arguments go to `lanner serve`. Ctrl-C ends everything.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { styleText } from 'node:util';
import { readCredentials } from '../packages/server/src/config/credentials.ts';
import { dataDirLayout, defaultDataRoot } from '../packages/server/src/config/data-dir.ts';
import { toShellWord } from '../packages/cli/src/shell-word.ts';
import { ensurePythonEnv } from './python-env.ts';

const root = resolve(import.meta.dirname, '..');
const lannerBin = join(root, 'packages/cli/bin/lanner.js');
const say = (text = ''): void => void process.stdout.write(`${text}\n`);
const step = (text: string): void => say(styleText('cyan', `› ${text}`));

/** Whether a port of the loopback address can be taken; a busy default port is replaced by a free one. */
function isFree(port: number): Promise<boolean> {
  return new Promise((settle) => {
    const probe = createServer();
    probe.once('error', () => settle(false));
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => probe.close(() => settle(true)));
  });
}

async function portArguments(given: string[]): Promise<string[]> {
  const chosen: string[] = [];
  for (const [flag, port, variable] of [
    ['--port', 8443, 'LANNER_PORT'],
    ['--http-port', 8080, 'LANNER_HTTP_PORT'],
  ] as const) {
    if (process.env[variable]) continue;
    if (given.some((argument) => argument === flag || argument.startsWith(`${flag}=`))) continue;
    if (await isFree(port)) continue;
    say(`  port ${port} is in use; taking a free one`);
    chosen.push(flag, '0');
  }
  return chosen;
}

/** The data folder among the arguments of `lanner serve`, in either spelling, as arguments of other commands. */
function dataDirArguments(given: string[]): string[] {
  const flag = '--data-dir';
  for (const [index, argument] of given.entries()) {
    if (argument.startsWith(`${flag}=`)) return [flag, argument.slice(flag.length + 1)];
    // Without a folder behind it, `lanner serve` says so.
    if (argument === flag) return given.slice(index, index + 2);
  }
  return [];
}

/** Runs a program to its end, showing its output indented. */
function show(command: string, args: string[], env: NodeJS.ProcessEnv): Promise<number> {
  return new Promise((settle, reject) => {
    const child = spawn(command, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => process.stdout.write(text.replace(/^(?=.)/gm, '    ')));
    }
    child.on('error', reject);
    child.on('close', (code) => settle(code ?? 1));
  });
}

function read(command: string, args: string[], env: NodeJS.ProcessEnv = process.env): Promise<string> {
  return new Promise((settle, reject) => {
    const child = spawn(command, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (piece: string) => (text += piece));
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? settle(text) : reject(new Error(`${args.join(' ')} ended with ${code}`)),
    );
  });
}

/** Resolves once the server says it is ready; its output goes to the terminal all the while. */
function untilReady(server: ChildProcess): Promise<void> {
  return new Promise((settle, reject) => {
    let seen = '';
    const look = (target: NodeJS.WriteStream) => (text: string) => {
      target.write(text.replace(/^(?=.)/gm, '    '));
      seen += text;
      if (/\bready\b/i.test(seen)) settle();
    };
    server.stdout!.setEncoding('utf8').on('data', look(process.stdout));
    server.stderr!.setEncoding('utf8').on('data', look(process.stderr));
    server.once('exit', (code) => reject(new Error(`lanner serve ended with status ${code}`)));
  });
}

/** Plain HTTPS, as any program would do it; the key travels in the environment, never in arguments. */
const callOnce = `
import os, ssl, urllib.request
request = urllib.request.Request(
    os.environ["LANNER_START_ENDPOINT"],
    data=b'{"name": "Lanner"}',
    headers={"Authorization": "Key " + os.environ["FAL_KEY"], "Content-Type": "application/json"},
)
context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
print(urllib.request.urlopen(request, context=context).read().decode())
`;

async function main(): Promise<number> {
  const given = process.argv.slice(2);
  step('Preparing a Python environment with the official fal client');
  const python = await ensurePythonEnv();

  step('Starting the platform: lanner serve');
  const dataDir = dataDirArguments(given);
  const dataFolder = dataDir[1] ?? process.env['LANNER_HOME'] ?? defaultDataRoot();
  const server = spawn(process.execPath, [lannerBin, 'serve', ...(await portArguments(given)), ...given], {
    cwd: root,
    // The client's environment brings a `uv`; at the end of PATH it serves only where there is none.
    env: { ...process.env, LANNER_LOG_FORMAT: 'pretty', PATH: `${process.env['PATH'] ?? ''}:${python.bin}` },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<number>((settle) => server.once('exit', (code) => settle(code ?? 0)));
  let stopping = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      stopping = true;
      // A terminal's Ctrl-C reaches the whole group already; a second SIGTERM would mean "now".
      if (signal === 'SIGTERM' || !process.stdin.isTTY) server.kill('SIGTERM');
    });
  }
  await untilReady(server);

  const variables = JSON.parse(
    await read(process.execPath, [lannerBin, 'env', ...dataDir, '--format', 'json']),
  ) as Record<string, string>;
  const env = { ...process.env, ...variables, PATH: `${python.bin}:${process.env['PATH'] ?? ''}` };

  step('Deploying examples/hello with the official client: fal deploy examples/hello/app.py::Hello');
  const deployed = await show(join(python.bin, 'fal'), ['deploy', 'examples/hello/app.py::Hello'], env);
  if (deployed !== 0) {
    if (!stopping) server.kill('SIGTERM');
    await ended;
    return 1;
  }

  const owner = readCredentials(dataDirLayout(dataFolder).credentials)?.account ?? 'me';
  const endpoint = `https://${variables['FAL_RUN_HOST']}/${owner}/hello/`;
  step(`Calling it once: POST ${endpoint}`);
  const calledAtMs = performance.now();
  const answer = await read(join(python.bin, 'python'), ['-c', callOnce], { ...env, LANNER_START_ENDPOINT: endpoint });
  say(`    ${answer.trim()}   (${Math.round(performance.now() - calledAtMs)} ms)`);

  say();
  say(styleText('bold', 'Lanner is running.'));
  say(`  endpoint  ${endpoint}`);
  say(`  key       ${variables['FAL_KEY']}`);
  say();
  say('Try next, in another terminal:');
  say(`  eval "$(npx lanner env${dataDir.length ? ` ${dataDir.map(toShellWord).join(' ')}` : ''})"`);
  say(`  ${python.bin.replace(`${root}/`, '')}/fal apps list`);
  say(
    `  curl --cacert "$SSL_CERT_FILE" -H "Authorization: Key $FAL_KEY" -H 'content-type: application/json' -d '{"name":"you"}' ${endpoint}`,
  );
  say();
  say('Ctrl-C stops everything.');
  return ended;
}

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`npm start: ${error instanceof Error ? error.message : String(error)}\n`);
  return 1;
});
