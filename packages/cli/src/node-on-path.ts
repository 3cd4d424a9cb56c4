import { spawnSync } from 'node:child_process';
import { mkdirSync, renameSync, symlinkSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The first major version of Node whose `fetch` and `WebSocket` follow `NODE_USE_ENV_PROXY`. */
const proxyAwareMajor = 24;

/**
 * The `PATH` for a child whose Node must follow the proxy variables: unchanged when `node` is new enough or absent, else
 * with a folder first that holds nothing but the Node that runs us.
 */
export function pathWithCapableNode(path: string, runFolder: string): string {
  const { stdout, error } = spawnSync('node', ['--version'], { env: { PATH: path }, encoding: 'utf8', timeout: 5_000 });
  if (error !== undefined) return path;
  const major = Number(/^v(\d+)/.exec(stdout)?.[1] ?? 0);
  if (major >= proxyAwareMajor) return path;
  return `${linkNode(join(runFolder, 'bin'))}${delimiter}${path}`;
}

function linkNode(folder: string): string {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const temporary = join(folder, `node.${process.pid}`);
  symlinkSync(process.execPath, temporary);
  renameSync(temporary, join(folder, 'node'));
  return folder;
}
