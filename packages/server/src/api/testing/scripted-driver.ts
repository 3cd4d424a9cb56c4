import type { BuildMessage, BuildRequest, SessionOrder } from '@lanner/protocol';
import type { RunnerDriver } from '../../runners/runner-driver.ts';

/** The building half of a driver, as a test wrote it down. */
export interface ScriptedDriver extends Pick<RunnerDriver, 'build' | 'openSession'> {
  /** What was asked for. */
  sessions: { runnerId: string; order: SessionOrder; input: Buffer[] }[];
  builds: BuildRequest[];
  /** Default: two log lines, then done with the id `env-1`. */
  buildMessages: (request: BuildRequest, signal: AbortSignal) => AsyncIterable<BuildMessage>;
}

export function createScriptedDriver(): ScriptedDriver {
  const driver: ScriptedDriver = {
    builds: [],
    sessions: [],
    // Echoes its input in capital letters, then ends with 7.
    openSession(runnerId, order) {
      const input: Buffer[] = [];
      const over = Promise.withResolvers<void>();
      driver.sessions.push({ runnerId, order, input });
      return {
        output: (async function* () {
          await over.promise;
          yield { stream: 'stdout' as const, data: Buffer.from(Buffer.concat(input).toString().toUpperCase()) };
          yield { stream: 'stderr' as const, data: Buffer.from('warned') };
          yield { exitCode: 7 };
        })(),
        write: async (data) => void input.push(Buffer.from(data)),
        endInput: () => over.resolve(),
        resize: () => {},
        close: () => over.resolve(),
      };
    },
    async *buildMessages() {
      yield { type: 'log', atMs: 1_700_000_000_000, level: 'info', line: 'Resolved 3 packages' };
      yield { type: 'log', atMs: 1_700_000_000_500, level: 'warning', line: 'slow mirror' };
      yield { type: 'done', environmentId: 'env-1', cached: false };
    },
    build(request, signal) {
      driver.builds.push(request);
      return driver.buildMessages(request, signal);
    },
  };
  return driver;
}
