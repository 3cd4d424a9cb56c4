import type { Clock, StartRunnerRequest } from '@lanner/protocol';
import { openControlGroups, readOomKills } from './control-groups.ts';
import type { Log } from '../lib/log.ts';

/** Holds one runner to its limits and knows afterwards whether it ran into them. */
export interface ResourceGuard {
  /**
   * True when memory was the end of the runner: its control group says so, or it died by SIGKILL while the kernel
   * killed something for want of memory.
   */
  wasOutOfMemory(signal: string | null): boolean;
  /** SIGKILL to the runner's first process, when its pid is known. */
  kill(): void;
  /** Removes the control group once its processes are gone. */
  release(): void;
}

export interface ResourceGuards {
  create(runnerId: string, limits: StartRunnerRequest['limits'], hostPid: number | undefined): ResourceGuard;
  /** One sentence on which limits hold here. */
  readonly description: string;
  stop(): void;
}

/** Limits by control groups (v1 or v2) where this process may write them; elsewhere only the watching is left. */
export function createResourceGuards(clock: Clock, log: Log): ResourceGuards {
  const groups = openControlGroups(clock);
  return {
    description:
      groups.controllers.length === 0
        ? 'Memory and CPU limits of runners do not hold here: no control group is writable.'
        : `Limits of runners hold through control groups: ${groups.controllers.join(', ')}.`,
    create(runnerId, limits, hostPid) {
      const oomKillsBefore = readOomKills();
      const group = hostPid === undefined ? undefined : groups.create(runnerId, limits, hostPid);
      void group?.entered.then(() => {
        if (group.problems.length > 0) log.warn({ runnerId, problems: group.problems }, 'some limits could not be set');
      });
      return {
        wasOutOfMemory(signal) {
          if (group !== undefined && group.oomKills() > 0) return true;
          return signal === 'SIGKILL' && readOomKills() > oomKillsBefore;
        },
        kill() {
          if (hostPid !== undefined) killQuietly(hostPid);
        },
        release: () => group?.remove(),
      };
    },
    stop: () => groups.stop(),
  };
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // already gone
  }
}
