/** `npm run bench`: every benchmark with its defaults, one after the other. Takes about ten minutes on a quiet machine. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ensurePythonEnv } from '../scripts/python-env.ts';

const { python } = await ensurePythonEnv();
const scripts: [string, ...string[]][] = [
  ['store.ts'],
  ['webhooks.ts'],
  ['cold-start.ts', '--python', python],
  ['gateway.ts', '--python', python],
  ['sockets.ts'],
  ['platform.ts'],
  ['queue.ts'],
  ['queue-http.ts'],
  ['client.ts'],
  ['cli.ts'],
];
let failed = 0;
for (const [script, ...rest] of scripts) {
  process.stdout.write(`\n## bench/${script}\n\n`);
  const { status } = spawnSync(process.execPath, [join(import.meta.dirname, script), ...rest], { stdio: 'inherit' });
  if (status !== 0) failed += 1;
}
process.exitCode = failed === 0 ? 0 : 1;
