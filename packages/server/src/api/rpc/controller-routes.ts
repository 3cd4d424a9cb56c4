import type { ConnectRouter } from '@connectrpc/connect';
import { LannerError } from '@lanner/protocol';
import { IsolateController } from '@lanner/protocol/controller';
import { Health } from '@lanner/protocol/health';
import { createAliasMethods } from './aliases.ts';
import { createApplicationMethods } from './applications.ts';
import { createBuildMethods } from './builds.ts';
import type { ControllerDeps } from './controller-deps.ts';
import type { ControllerPart } from './controller-part.ts';
import { createEnvironmentMethods } from './environments.ts';
import { createErrorInterceptor } from './error-interceptor.ts';
import { createHealthMethods } from './health.ts';
import { createKeyMethods } from './keys.ts';
import { createLogInterceptor } from './log-interceptor.ts';
import { createDeployMethods } from './register-application.ts';
import { createRunMethods } from './runs.ts';
import { createRunnerMethods } from './runners.ts';
import { createSecretMethods } from './secrets.ts';
import { createShellMethods } from './shell-runner.ts';

/** Registers every RPC of the controller, and the health service. Needs {@link createRequestGate} in front. */
export function createControllerRoutes(deps: ControllerDeps): (router: ConnectRouter) => void {
  return (router) => {
    const options = { interceptors: [createLogInterceptor(deps), createErrorInterceptor(deps.log)] };
    router.service(
      IsolateController,
      {
        ...createRunMethods(deps),
        ...createBuildMethods(deps),
        ...createDeployMethods(deps),
        ...createApplicationMethods(deps),
        ...createAliasMethods(deps),
        ...createRunnerMethods(deps),
        ...createShellMethods(deps),
        ...createKeyMethods(deps),
        ...createSecretMethods(deps),
        ...createEnvironmentMethods(deps),
        ...methodsToCome,
      },
      options,
    );
    router.service(Health, createHealthMethods(deps), options);
  };
}

/** RPCs that Lanner does not have yet: a sentence, never success. */
const methodsToCome: ControllerPart<'interactiveRun' | 'map'> = {
  interactiveRun: () => refusing('Interactive runs are not supported; use Run.'),
  map: () => refusing('Map is not supported; call Run once for each input.'),
};

function refusing(message: string): AsyncIterable<never> {
  return {
    [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new LannerError('unimplemented', message)) }),
  };
}
