import type { BuildMessage, BuildRequest } from '@lanner/protocol';
import type { RunnerDriver } from '../../runners/runner-driver.ts';

/** The building half of a driver, as a test wrote it down. */
export interface ScriptedDriver extends Pick<RunnerDriver, 'build'> {
  builds: BuildRequest[];
  /** Default: two log lines, then done with the id `env-1`. */
  buildMessages: (request: BuildRequest, signal: AbortSignal) => AsyncIterable<BuildMessage>;
}

export function createScriptedDriver(): ScriptedDriver {
  const driver: ScriptedDriver = {
    builds: [],
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
