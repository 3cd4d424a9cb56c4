import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startFakeSupervisor } from './fake-supervisor.ts';

/**
 * For tests: the fake supervisor as a process of its own. `--data-dir DIR`; a file `fake-supervisor.json` in it may set
 * `protocolVersion`, or `failWith` (a text to print before ending with status 1).
 */
const dataDir = process.argv[process.argv.indexOf('--data-dir') + 1]!;
const { default: settings } = (await import(`file://${join(dataDir, 'fake-supervisor.json')}`, {
  with: { type: 'json' },
}).catch(() => ({ default: {} }))) as { default: { protocolVersion?: number; failWith?: string } };

if (settings.failWith !== undefined) {
  process.stderr.write(`${settings.failWith}\n`);
  process.exit(1);
}
const run = join(dataDir, 'run');
const socketPath = join(run, 'supervisor.sock');
mkdirSync(run, { recursive: true, mode: 0o700 });
rmSync(socketPath, { force: true });
const supervisor = await startFakeSupervisor({
  socketPath,
  ...(settings.protocolVersion === undefined ? {} : { protocolVersion: settings.protocolVersion }),
  onShutdown: () => {
    void supervisor.close().then(() => process.exit(0));
  },
});
writeFileSync(join(run, 'supervisor.json.new'), JSON.stringify({ pid: process.pid, socket: socketPath }));
renameSync(join(run, 'supervisor.json.new'), join(run, 'supervisor.json'));
