import { HostedRunStatus_State as State } from '@lanner/protocol/controller';
import { parseEnvironment } from './code-draft.ts';
import type { ControllerDeps } from './controller-deps.ts';
import type { ControllerPart } from './controller-part.ts';
import { environmentNameOf } from './environment-names.ts';
import { assertSecretsExist, checkedSettings } from './prepare-code.ts';
import { rpcCall } from './rpc-call.ts';
import { runBuild } from './run-build.ts';
import { toSettingsPatch } from './scale-settings-patch.ts';

/** Building an environment ahead of a run or deploy. */
export function createBuildMethods(
  deps: Pick<ControllerDeps, 'driver' | 'accounts' | 'environments' | 'secrets' | 'machineTypes'>,
): ControllerPart<'buildEnvironment'> {
  return {
    async *buildEnvironment(request, context) {
      const { principal, signal } = rpcCall(context);
      const environmentName = environmentNameOf(request.environmentName);
      const { environment, forceBuild } = parseEnvironment(request.environments);
      // What would refuse the deploy after the build is refused before it.
      checkedSettings(deps, toSettingsPatch(request.machineRequirements ?? {}));
      await deps.environments.assertExists(principal.accountId, environmentName);
      await assertSecretsExist(deps, principal.accountId, environmentName, request.secrets?.names ?? null);

      // An empty message sends the headers, and with them ends the client's readiness to repeat the call.
      yield {};
      const envId = yield* runBuild(
        deps,
        { accountId: principal.accountId, environmentName, environment, force: forceBuild, signal },
        (logs) => ({ logs }),
      );
      // The client hangs up at the first SUCCESS.
      yield { envId, status: { state: State.SUCCESS } };
    },
  };
}
