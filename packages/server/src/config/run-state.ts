import { rmSync } from 'node:fs';
import { z } from 'zod';
import type { DataDir } from './data-dir.ts';
import { isDataDirLocked } from './lock.ts';
import { readFileIfPresent, writeFileAtomically } from './private-file.ts';

const schema = z.object({
  pid: z.number().int().positive(),
  /** Real ports, also where the configuration said 0. */
  tlsPort: z.number().int(),
  httpPort: z.number().int(),
  /** Address the ports listen on. */
  host: z.string(),
  domain: z.string().nullable(),
  publicUrl: z.string().nullable(),
  startedAtMs: z.number(),
});

/** What other processes need to know about a running server; `run/server.json`. */
export type RunState = z.infer<typeof schema>;

/** Tells others how to reach this server. Written once both ports listen, so its presence also means "ready". */
export function writeRunState(dataDir: DataDir, state: RunState): void {
  writeFileAtomically(dataDir.serverPid, `${state.pid}\n`);
  writeFileAtomically(dataDir.serverState, `${JSON.stringify(state, null, 2)}\n`);
}

/** Written by a server as soon as it has the lock, so that a second one can name it. */
export function writeServerPid(dataDir: DataDir, pid: number): void {
  rmSync(dataDir.serverState, { force: true });
  writeFileAtomically(dataDir.serverPid, `${pid}\n`);
}

/** Forgets this server. Call before the lock is released. */
export function clearRunState(dataDir: DataDir): void {
  rmSync(dataDir.serverState, { force: true });
  rmSync(dataDir.serverPid, { force: true });
}

/**
 * The running and ready server of this folder, or null. A file left behind by a server that was killed is not believed:
 * the lock decides.
 */
export function findRunningServer(dataDir: DataDir): RunState | null {
  const text = readFileIfPresent(dataDir.serverState);
  if (text === null || !isDataDirLocked(dataDir)) return null;
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
