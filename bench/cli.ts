/**
 * Budgets of the `lanner` command: how long `lanner --help` takes, and `lanner apps list` beside `fal apps list`, as whole
 * processes against one platform.
 *
 * Usage: node bench/cli.ts [--runs 15]
 */
import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { delimiter, join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensurePythonEnv } from '../scripts/python-env.ts';
import { lannerBin, startPlatform } from '../test/system/platform.ts';

const { values } = parseArgs({ options: { runs: { type: 'string', default: '15' } } });
const runs = Number(values.runs);

const { bin } = await ensurePythonEnv();
const platform = await startPlatform();
try {
  console.log(`${cpus().length} × ${cpus()[0]?.model.trim()}, Node ${process.version}\n`);
  const deployed = await platform.fal(['deploy', 'test/system/apps/simple.py::SimpleApp']);
  if (deployed.code !== 0) throw new Error(deployed.stdout + deployed.stderr);
  const help = measure(process.execPath, [lannerBin, '--help']);
  const ours = measure(process.execPath, [lannerBin, 'apps', 'list']);
  const theirs = measure(join(bin, 'fal'), ['apps', 'list']);
  console.log(`lanner --help:    ${format(help)} (budget ≤ 120 ms)`);
  console.log(`lanner apps list: ${format(ours)}`);
  console.log(`fal apps list:    ${format(theirs)}`);
  console.log(`ratio of medians: ${(ours.medianMs / theirs.medianMs).toFixed(2)}× (budget ≤ 0.35×)`);
} finally {
  await platform.stop();
}

interface Times {
  medianMs: number;
  bestMs: number;
}

/** Whole processes, one after the other, the first one (cold caches) left out. */
function measure(command: string, args: string[]): Times {
  const env = { ...process.env, ...platform.variables, PATH: `${bin}${delimiter}${process.env['PATH'] ?? ''}` };
  const times: number[] = [];
  for (let run = 0; run <= runs; run++) {
    const beganAtMs = performance.now();
    const { status, stderr } = spawnSync(command, args, { env, encoding: 'utf8' });
    if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${stderr}`);
    if (run > 0) times.push(performance.now() - beganAtMs);
  }
  times.sort((a, b) => a - b);
  return { medianMs: times[Math.floor(times.length / 2)]!, bestMs: times[0]! };
}

function format({ medianMs, bestMs }: Times): string {
  return `median ${medianMs.toFixed(0)} ms, best ${bestMs.toFixed(0)} ms`;
}
