import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { blobRelativePath, systemClock, type EnvironmentDefinition } from '@lanner/protocol';
import { pino } from 'pino';
import { createProcessDriver, type ProcessDriver } from './process-driver.ts';
import { runnerDriverConformance, type RunnerBehaviour } from './testing/runner-driver.conformance.ts';

const supervisorEntry = fileURLToPath(new URL('../../../supervisor/src/main.ts', import.meta.url));
const environment: EnvironmentDefinition = { kind: 'virtualenv', configuration: { requirements: [] } };

const serve = `
    import http.server, sys
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header('content-length', '5')
            self.end_headers()
            self.wfile.write(b'hello')
        def log_message(self, *args):
            pass
    http.server.ThreadingHTTPServer(('0.0.0.0', 8080), Handler).serve_forever()
`;
const sources: Record<RunnerBehaviour, string> = {
  serve: `def main():${serve}`,
  stubborn: `def main():
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)${serve}`,
  crash: `def main():
    import os, sys
    print('about to crash', file=sys.stderr, flush=True)
    os._exit(3)`,
  print: `def main():
    for word in ('one', 'two', 'three'):
        print(word)`,
  return: 'def main(): return 42',
  raise: "def main(): raise ValueError('no')",
  slow: `def main():
    import time
    time.sleep(3600)`,
};

// One data folder for the suite: its environment is built once.
const dataDir = await mkdtemp(join(tmpdir(), 'lanner-driver-'));
const createDriver = (): ProcessDriver =>
  createProcessDriver({ dataDir, supervisorEntry, clock: systemClock, log: pino({ level: 'silent' }) });
const blobs = await buildAndPickle();
after(() => rm(dataDir, { recursive: true, force: true }));

runnerDriverConformance('processes, with the supervisor', async () => ({
  createDriver,
  dress: (request, behaviour) => ({
    ...request,
    environment,
    callable: { kind: 'serialized', method: 'cloudpickle', blob: blobs[behaviour] },
  }),
  patienceMs: 30_000,
  async close() {
    const driver = createDriver();
    await driver.start();
    await driver.stop({ leaveSupervisor: false, graceMs: 0 });
  },
}));

/** The environment, and every behaviour pickled by its own interpreter: both ends must have the same version. */
async function buildAndPickle(): Promise<Record<RunnerBehaviour, string>> {
  const driver = createDriver();
  await driver.start();
  try {
    const request = { accountId: 'acc-1', accountOrdinal: 1, environment, force: false };
    for await (const message of driver.build(request, AbortSignal.timeout(120_000))) {
      if (message.type === 'failed') throw new Error(message.message);
    }
  } finally {
    await driver.stop({ leaveSupervisor: false, graceMs: 0 });
  }
  const trees = join(dataDir, 'environments', 'acc-1', 'trees');
  const tree = (await readdir(trees)).find((name) => !name.startsWith('.'))!;
  const program = `
import json, sys, cloudpickle
def pickled(source):
    names = {'__name__': '__main__'}
    exec(compile(source, 'app.py', 'exec'), names)
    return cloudpickle.dumps(names['main']).hex()
print(json.dumps({name: pickled(source) for name, source in json.loads(sys.argv[1]).items()}))
`;
  const { stdout } = await promisify(execFile)(join(trees, tree, 'bin/python'), [
    '-c',
    program,
    JSON.stringify(sources),
  ]);
  const hashes: Record<string, string> = {};
  for (const [behaviour, hex] of Object.entries(JSON.parse(stdout) as Record<string, string>)) {
    const bytes = Buffer.from(hex, 'hex');
    const hash = createHash('sha256').update(bytes).digest('hex');
    const path = join(dataDir, 'blobs', blobRelativePath(hash));
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(path, bytes, { mode: 0o600 });
    hashes[behaviour] = hash;
  }
  return hashes as Record<RunnerBehaviour, string>;
}
