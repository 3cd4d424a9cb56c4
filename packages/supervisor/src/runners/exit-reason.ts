import type { ExitReason, RunnerExit, RunnerResult } from '@lanner/protocol';

/** All that is known when a runner is gone. */
export interface EndFacts {
  purpose: 'serve' | 'run';
  /** Why the supervisor ended it, if it did. */
  endedBy?: { reason: ExitReason; message: string };
  /** The bridge's last word: how the app process ended. Absent when the connection broke first. */
  appExit?: { code: number | null; signal: string | null };
  /** Of the callable, once it has returned or raised. */
  result?: Pick<RunnerResult, 'wasRaised' | 'exceptionTypeName' | 'exceptionMessage' | 'failure'>;
  /** Where the app was to listen. */
  exposedPort?: number;
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

  if (facts.purpose === 'run' && facts.result !== undefined) return exit('finished', 'The function has ended.');
  if (facts.endedBy !== undefined) return exit(facts.endedBy.reason, facts.endedBy.message);
  if (facts.isOutOfMemory) return exit('out_of_memory', 'The runner needed more memory than it has and was killed.');
  if (facts.appExit === undefined) {
    return exit('crashed', `The runner's process vanished. ${facts.connectionError ?? ''}`.trim());
  }
  if (code === failedBeforeApp && facts.result === undefined && facts.bridgeError !== undefined) {
    return exit('sandbox_failed', facts.bridgeError);
  }
  if (facts.result !== undefined) return exit('crashed', describeEndOfServing(facts, facts.result));
  if (signal !== null) return exit('crashed', `The runner was ended by ${signal}.`);
  if (facts.purpose === 'run')
    return exit('crashed', `The function ended its process (exit status ${code}) without a result.`);
  if (facts.wasReady) return exit('crashed', `The app ended by itself (exit status ${code}) although it should serve.`);
  return exit('crashed', `The app ended (exit status ${code}) before it listened on its port; its log says why.`);
}

const longestMessageTold = 1000;

/** A callable that should serve has come to its end. */
function describeEndOfServing(facts: EndFacts, result: NonNullable<EndFacts['result']>): string {
  if (result.wasRaised) {
    const { exceptionTypeName = 'an exception', exceptionMessage = '' } = result;
    const text = exceptionMessage === '' ? '' : `: ${exceptionMessage.slice(0, longestMessageTold)}`;
    return `The app raised ${exceptionTypeName}${text}`;
  }
  if (result.failure !== undefined) return result.failure.message;
  if (facts.wasReady) return 'The app returned although it should serve until it is stopped.';
  const port = facts.exposedPort === undefined ? 'its port' : `port ${facts.exposedPort}`;
  return (
    `The function returned, but nothing listened on ${port}. A deployed app serves until it is stopped: ` +
    'deploy a fal.App or a function with serve=True, and call a plain function with `fal run`.'
  );
}
