import { LannerError, type ErrorCode, type RunnerExit } from '@lanner/protocol';
import type { LogLine } from './fleet.ts';

/** Lines of the runner's own output that an error carries: uvicorn prints more than 30 after an exception in `setup`. */
const logLinesTold = 40;
const longestLineTold = 500;

/** The catalogue code that tells callers why a runner could not start. */
export function toStartFailureCode(exit: RunnerExit): ErrorCode {
  if (exit.reason === 'build_failed') return 'build_failed';
  if (exit.reason === 'startup_timeout') return 'startup_timeout';
  return 'startup_failed';
}

/** Why a runner never became ready, with the last lines it printed: what waiting callers are told. */
export function toStartFailure(appName: string, exit: RunnerExit, logLines: LogLine[]): LannerError {
  const lines = logLines
    .filter(({ source, level }) => !['trace', 'debug', ...(source === 'user' ? [] : ['info'])].includes(level))
    .slice(-logLinesTold)
    .map((line) => line.line.slice(0, longestLineTold));
  const output = lines.length === 0 ? '' : `\nLast lines of its output:\n${lines.join('\n')}`;
  return new LannerError(toStartFailureCode(exit), `A runner of ${appName} could not start: ${exit.message}${output}`, {
    details: { exitReason: exit.reason, exitCode: exit.code, signal: exit.signal, logLines: lines },
  });
}
