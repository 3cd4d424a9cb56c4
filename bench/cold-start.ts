/**
 * Time from a start request to a runner that is ready, and to its first answer, at the supervisor alone: the part of
 * "scale from zero" that is not gateway or scheduler. The app is examples/hello, its zygote warm.
 *
 * Usage: node bench/cold-start.ts [--runs 50] [--python PATH of an interpreter with fal]
 */
import { execFileSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { blobRelativePath, type EnvironmentDefinition, type Json, type StartRunnerRequest } from '@lanner/protocol';
import { readHostEnvironment, startSupervisor } from '@lanner/supervisor';
import { createApiClient } from '../packages/supervisor/src/testing/api-client.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '50' },
    python: { type: 'string', default: join(root, '.cache/python/bin/python') },
  },
});
const runs = Number(values.runs);

const dataDir = mkdtempSync(join(tmpdir(), 'lanner-bench-'));
const supervisor = await startSupervisor({
  ...readHostEnvironment(process.env),
  dataDir,
  toolsFolder: join(root, '.cache/supervisor-tools'),
});
const api = createApiClient(supervisor.socketPath);

try {
  const { environment, blob } = prepare();
  const account = { accountId: 'acct_bench', accountOrdinal: 1 };
  const built = await api.build({ ...account, environment, force: false });
  if (built.at(-1)?.type !== 'done') throw new Error(JSON.stringify(built.slice(-3)));

  const stream = await api.openEvents(0, { acknowledge: true });
  const start = async (): Promise<{ readyMs: number; answerMs: number }> => {
    const startedAtMs = performance.now();
    const order: StartRunnerRequest = {
      ...account,
      runnerId: `run_${randomUUID()}`,
      revisionId: 'rev_bench',
      appName: 'bench/hello',
      environment,
      callable: { kind: 'serialized', method: 'cloudpickle', blob },
      purpose: 'serve',
      runOnMainThread: true,
      exposedPort: 8080,
      metricsPort: 9090,
      startupTimeoutMs: 60_000,
      graceMs: 5000,
      files: [],
      dataMounts: [],
      env: { FAL_KEY_ID: 'bench', FAL_KEY_SECRET: 'bench-secret-of-the-key' },
      limits: { memoryMiB: 1024, cpus: 2 },
    };
    const { address } = await api.startRunner(order);
    const { runnerId } = order;
    await stream.find((event) =>
      event.type === 'runner.exited'
        ? event.runnerId === runnerId
        : event.type === 'runner.phase' && event.runnerId === runnerId && event.phase === 'ready',
    );
    const readyMs = performance.now() - startedAtMs;
    await post(address, 8080);
    const answerMs = performance.now() - startedAtMs;
    await api.call('POST', `/v1/runners/${runnerId}/kill`);
    await stream.find((event) => event.type === 'runner.exited' && event.runnerId === runnerId);
    stream.events.length = 0;
    return { readyMs, answerMs };
  };

  const first = await start();
  const samples = [];
  for (let run = 0; run < runs; run += 1) samples.push(await start());
  stream.close();

  const { isolation } = await api.status();
  process.stdout.write(
    `${runs} starts of examples/hello, warm zygote, ${isolation.level}, ${cpus().length}× ${cpus()[0]?.model.trim()}\n`,
  );
  process.stdout.write(
    `first (zygote starting): ready ${first.readyMs.toFixed(1)} ms, answer ${first.answerMs.toFixed(1)} ms\n`,
  );
  for (const key of ['readyMs', 'answerMs'] as const) {
    const sorted = samples.map((sample) => sample[key]).sort((left, right) => left - right);
    const at = (share: number): string =>
      sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!.toFixed(1);
    process.stdout.write(
      `${key.padEnd(9)} p50 ${at(0.5)}  p90 ${at(0.9)}  p99 ${at(0.99)}  min ${sorted[0]!.toFixed(1)}\n`,
    );
  }
} finally {
  await supervisor.stop(0);
  rmSync(dataDir, { recursive: true, force: true });
}

function prepare(): { environment: EnvironmentDefinition; blob: string } {
  const output = join(dataDir, 'definition');
  const script = join(root, 'bench/cold-start-definition.py');
  const text = execFileSync(values.python, [script, join(root, 'examples/hello/app.py'), 'Hello', output], {
    encoding: 'utf8',
  });
  const configuration = JSON.parse(text.trim().split('\n').at(-1)!) as { [key: string]: Json };
  const definition = readFileSync(output);
  const blob = createHash('sha256').update(definition).digest('hex');
  const path = join(dataDir, 'blobs', blobRelativePath(blob));
  mkdirSync(dirname(path), { recursive: true });
  execFileSync('mv', [output, path]);
  return { environment: { kind: 'virtualenv', configuration }, blob };
}

function post(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const call = request(
      { host, port, method: 'POST', path: '/', agent: false, headers: { 'content-type': 'application/json' } },
      (response) => {
        if (response.statusCode !== 200) reject(new Error(`status ${response.statusCode}`));
        response.resume().on('end', resolve);
      },
    );
    call.on('error', reject);
    call.end('{"name": "bench"}');
  });
}
