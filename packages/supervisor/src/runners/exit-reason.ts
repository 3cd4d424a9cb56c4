import type { ExitReason, RunnerExit } from '@lanner/protocol';

/** All that is known when a runner is gone. */
export interface EndFacts {
  purpose: 'serve' | 'run';
  /** Why the supervisor ended it, if it did. */
  endedBy?: { reason: ExitReason; message: string };
  /** The bridge's last word: how the app process ended. Absent when the connection broke first. */
  appExit?: { code: number | null; signal: string | null };
  /** A result frame came. */
  hasResult: boolean;
  wasReady: boolean;
  /** The kernel says that the memory limit, or the machine's memory, was the end of it. */
  isOutOfMemory: boolean;
  /** Last error line of the bridge, for runners that failed before the app process existed. */
  bridgeError?: string;
  /** Why the connection broke, when it broke a rule. */
  connectionError?: string;
}

/** Exit status of a runner that failed before its app process existed (packages/supervisor/python/README.md). */
const failedBeforeApp = 125;

/** What to tell about a runner that is gone. */
export function decideExit(facts: EndFacts): RunnerExit {
  const code = facts.appExit?.code ?? null;
  const signal = facts.appExit?.signal ?? null;
  const exit = (reason: ExitReason, message: string): RunnerExit => ({ reason, code, signal, message });

  if (facts.purpose === 'run' && facts.hasResult) return exit('finished', 'The function has ended.');
  if (facts.endedBy !== undefined) return exit(facts.endedBy.reason, facts.endedBy.message);
  if (facts.isOutOfMemory) return exit('out_of_memory', 'The runner needed more memory than it has and was killed.');
  if (facts.appExit === undefined) {
    return exit('crashed', `The runner's process vanished. ${facts.connectionError ?? ''}`.trim());
  }
  if (code === failedBeforeApp && !facts.hasResult && facts.bridgeError !== undefined) {
    return exit('sandbox_failed', facts.bridgeError);
  }
  if (signal !== null) return exit('crashed', `The runner was ended by ${signal}.`);
  if (facts.purpose === 'run')
    return exit('crashed', `The function ended its process (exit status ${code}) without a result.`);
  if (facts.wasReady) return exit('crashed', `The app ended by itself (exit status ${code}) although it should serve.`);
  return exit('crashed', `The app ended (exit status ${code}) before it listened on its port; its log says why.`);
}
