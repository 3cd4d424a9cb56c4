import { create } from '@bufbuild/protobuf';
import { LannerError, type RunnerExit, type RunnerResult } from '@lanner/protocol';
import { SerializedObjectSchema, type SerializedObject } from '@lanner/protocol/common';

/** How a run ended: what its code gave back, or how its process died. */
export interface RunOutcome {
  result: RunnerResult | null;
  exit: RunnerExit;
  resultBytes: Uint8Array | null;
}

/**
 * The return value of a run, be it a value or a raised exception; the bytes are passed on as they are.
 *
 * @throws what the client must hear instead: the result cannot be pickled, the process died, the start failed.
 */
export function toReturnValue(outcome: RunOutcome): SerializedObject {
  const { result, exit, resultBytes } = outcome;
  if (result?.failure !== undefined) throw new LannerError(result.failure.code, result.failure.message);
  if (result !== null && resultBytes !== null) {
    return create(SerializedObjectSchema, {
      method: result.method,
      definition: resultBytes,
      wasItRaised: result.wasRaised,
      // Presence matters: an empty exception message is a message.
      ...(result.stringizedTraceback === undefined ? {} : { stringizedTraceback: result.stringizedTraceback }),
      ...(result.exceptionTypeName === undefined ? {} : { exceptionTypeName: result.exceptionTypeName }),
      ...(result.exceptionMessage === undefined ? {} : { exceptionMessage: result.exceptionMessage }),
    });
  }
  throw toExitError(exit);
}

function toExitError(exit: RunnerExit): LannerError {
  switch (exit.reason) {
    case 'build_failed':
      return new LannerError('build_failed', exit.message);
    case 'startup_timeout':
      return new LannerError('startup_timeout', exit.message);
    case 'sandbox_failed':
      return new LannerError('startup_failed', exit.message);
    case 'out_of_memory':
      return new LannerError('runner_crashed', outOfMemoryText);
    case 'killed':
    case 'stopped':
      return new LannerError('runner_crashed', `The runner was ended before its code returned: ${exit.message}`);
    case 'finished':
    case 'crashed':
    case 'unhealthy':
      return new LannerError(
        'runner_crashed',
        exit.signal === 'SIGKILL' ? outOfMemoryText : `The runner ended before its code returned: ${exit.message}`,
      );
  }
}

/** Clients recognise this very ending and advise a bigger machine type. */
const outOfMemoryText = 'The runner ended before its code returned: `the process died with <Signals.SIGKILL: 9>.`.';
