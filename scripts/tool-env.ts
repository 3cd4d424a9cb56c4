/**
 * Tools that few people need (a browser, Bun, the generator of docs/api), pinned in `scripts/tools/<name>` and installed below
 * `.cache/tools` when they are first used, so that `npm start` and `npm test` of most files never fetch them.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';

import { withFileLock } from './file-lock.ts';

const run = promisify(execFile);
const root = dirname(import.meta.dirname);

export type ToolName = 'browser' | 'bun' | 'docs' | 'publish';

/**
 * The folder with a tool's `node_modules`, installed when it is not there yet. Callers in several processes wait for one.
 * @throws Error with npm's last words when it cannot be installed.
 */
export async function ensureTool(name: ToolName): Promise<string> {
  const source = join(root, 'scripts', 'tools', name);
  const lockfile = await readFile(join(source, 'package-lock.json'), 'utf8');
  const cache = join(root, '.cache', 'tools');
  const folder = join(cache, `${name}-${createHash('sha256').update(lockfile).digest('hex').slice(0, 12)}`);
  if (existsSync(join(folder, '.complete'))) return folder;
  await mkdir(cache, { recursive: true });
  await withFileLock(`${folder}.lock`, async () => {
    if (existsSync(join(folder, '.complete'))) return;
    process.stderr.write(`lanner: installing the tool "${name}" …\n`);
    const stage = `${folder}.new`;
    await rm(stage, { recursive: true, force: true });
    await rm(folder, { recursive: true, force: true });
    await mkdir(stage);
    for (const file of ['package.json', 'package-lock.json']) await copyFile(join(source, file), join(stage, file));
    await install(stage);
    await writeFile(join(stage, '.complete'), '');
    await rename(stage, folder);
  });
  return folder;
}

/** As {@link ensureTool}, for tests: why they are skipped where the tool cannot be had. */
export async function toolOrReason(name: ToolName): Promise<{ folder: string } | { reason: string }> {
  try {
    return { folder: await ensureTool(name) };
  } catch (error) {
    return { reason: `the tool "${name}" cannot be installed here: ${(error as Error).message}` };
  }
}

/** Nothing of a package is run while it is installed. */
async function install(folder: string): Promise<void> {
  // npm itself must not run on a Node that lies in a node_modules folder.
  const path = (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((entry) => !/node_modules[\\/]\.bin[\\/]?$/.test(entry));
  try {
    await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd: folder,
      env: { ...process.env, PATH: path.join(delimiter) },
      maxBuffer: 16 * 1024 * 1024,
    });
  } catch (error) {
    const output = String((error as { stderr?: string }).stderr ?? '').trim();
    throw new Error(output.split('\n').slice(-3).join(' | ') || String(error), { cause: error });
  }
}
