/**
 * Budgets of `@lanner/client` against a real platform: a warm `apps.list()` beside the official client's, and an upload of app
 * files beside a raw copy over the same connection.
 *
 * Usage: node bench/client.ts [--calls 500] [--megabytes 200]
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { clientOf } from '../test/system/client-of.ts';
import { startPlatform, type Platform } from '../test/system/platform.ts';

const { values } = parseArgs({
  options: { calls: { type: 'string', default: '500' }, megabytes: { type: 'string', default: '200' } },
});
const calls = Number(values.calls);
const megabyte = 1024 * 1024;

const platform = await startPlatform();
try {
  console.log(`${cpus().length} × ${cpus()[0]?.model.trim()}, Node ${process.version}\n`);
  const deployed = await platform.fal(['deploy', 'test/system/apps/simple.py::SimpleApp']);
  if (deployed.code !== 0) throw new Error(deployed.stdout + deployed.stderr);
  await listApps();
  await uploadFiles();
} finally {
  await platform.stop();
}

async function listApps(): Promise<void> {
  await using client = await clientOf(platform);
  for (let i = 0; i < 50; i++) await client.apps.list();
  const times: number[] = [];
  for (let i = 0; i < calls; i++) {
    const startedAtMs = performance.now();
    await client.apps.list();
    times.push(performance.now() - startedAtMs);
  }
  const { stdout } = await platform.python(
    `import time
from fal.api import SyncServerlessClient
client = SyncServerlessClient()
times = []
for i in range(60):
    began = time.perf_counter()
    client.apps.list()
    times.append((time.perf_counter() - began) * 1000)
times = sorted(times[10:])
print(times[len(times) // 2])`,
  );
  times.sort((a, b) => a - b);
  const p50 = times[Math.floor(times.length / 2)] ?? Number.NaN;
  const p99 = times[Math.floor(times.length * 0.99)] ?? Number.NaN;
  console.log(`apps.list(), warm: p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms (budget p50 ≤ 1.5 ms)`);
  console.log(`the official client, warm: p50 ${Number(stdout.trim().split('\n').at(-1)).toFixed(2)} ms`);
}

/** Incompressible files, one deploy; beside it the same bytes sent to a server that only reads them. */
async function uploadFiles(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'lanner-bench-client-'));
  try {
    const count = 20;
    const bytes = (Number(values.megabytes) * megabyte) / count;
    const contents = Array.from({ length: count }, () => randomBytes(bytes));
    contents.forEach((content, index) => writeFileSync(join(folder, `file-${index}.bin`), content));
    const app = `import fal\n\nclass Files(fal.App):\n    app_files = ["."]\n\n    @fal.endpoint("/")\n    def f(self) -> int:\n        return 1\n`;
    writeFileSync(join(folder, 'app.py'), app);
    await using client = await clientOf(platform);
    let beganAtMs = 0;
    let endedAtMs = 0;
    let sent = 0;
    await client.deploy('app.py', {
      cwd: folder,
      strategy: 'recreate',
      onProgress: (progress) => {
        if (progress.type === 'phase' && progress.phase === 'uploading') beganAtMs = performance.now();
        if (progress.type === 'phase' && progress.phase === 'building') endedAtMs = performance.now();
        if (progress.type === 'upload') sent = progress.totalBytes;
      },
    });
    const uploadMs = endedAtMs - beganAtMs;
    const rawMs = await rawCopyMs(platform, contents);
    const rate = (ms: number): string => `${((sent / megabyte / ms) * 1000).toFixed(0)} MiB/s`;
    console.log(
      `upload of ${(sent / megabyte).toFixed(0)} MiB: ${rate(uploadMs)}; raw copy ${rate(rawMs)}; ` +
        `${(rawMs / uploadMs).toFixed(2)}× (budget ≥ 0.5×)`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What a copy over TLS costs at least: one connection, read and hashed at the other end, as any server has to. */
async function rawCopyMs(of: Platform, contents: Buffer[]): Promise<number> {
  // The platform's own certificate: one file with the key in it.
  const pem = readFileSync(join(of.dataDir, 'ca/leaf-local.pem'));
  const server = createServer({ key: pem, cert: pem }, (incoming, response) => {
    const hash = createHash('sha256');
    incoming.on('data', (chunk: Buffer) => hash.update(chunk));
    incoming.on('end', () => response.end(hash.digest('hex')));
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const { port } = server.address() as AddressInfo;
  const startedAtMs = performance.now();
  for (const content of contents) {
    await new Promise<void>((done, fail) => {
      const call = request({ host: '127.0.0.1', port, method: 'PUT', rejectUnauthorized: false }, (response) =>
        response.resume().on('end', done),
      );
      call.on('error', fail).end(content);
    });
  }
  const took = performance.now() - startedAtMs;
  server.close();
  return took;
}
