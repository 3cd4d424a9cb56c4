import { LannerError } from '@lanner/protocol';
import type { RunnerState } from '../../scheduler/fleet.ts';
import { toApplicationInfo } from './app-messages.ts';
import { aliasIn, aliasInfoOf } from './aliases.ts';
import type { ControllerDeps } from './controller-deps.ts';
import type { ControllerPart } from './controller-part.ts';
import { environmentNameOf } from './environment-names.ts';
import { rpcCall } from './rpc-call.ts';
import { toSettingsPatch } from './scale-settings-patch.ts';

const endedStates: ReadonlySet<RunnerState> = new Set(['TERMINATED', 'FAILURE_DELAY']);

/** Revisions and the settings of deployed apps. Deploying itself is in register-application.ts. */
export function createApplicationMethods(
  deps: Pick<ControllerDeps, 'apps' | 'environments' | 'fleet'>,
): ControllerPart<'updateApplication' | 'listApplications' | 'deleteApplication' | 'rolloutApplication'> {
  return {
    async updateApplication(request, context) {
      const { principal } = rpcCall(context);
      const environmentName = environmentNameOf(request.environmentName);
      const patch = toSettingsPatch(request);
      let alias = await aliasIn(deps, principal.accountId, environmentName, request.applicationName);
      if (Object.keys(patch).length > 0) {
        alias = await deps.apps.updateSettings(principal.accountId, request.applicationName, patch);
      }
      return { aliasInfo: aliasInfoOf(deps, alias) };
    },

    async listApplications(request, context) {
      const { principal } = rpcCall(context);
      const environmentName = environmentNameOf(request.environmentName);
      await deps.environments.assertExists(principal.accountId, environmentName);
      const aliasName = request.applicationName === '' ? undefined : request.applicationName;
      const revisions = await deps.apps.listRevisions(principal.accountId, environmentName, aliasName);
      const runnerCounts = new Map<string, number>();
      for (const runner of deps.fleet.listRunners(principal.accountId, {})) {
        if (endedStates.has(runner.state)) continue;
        runnerCounts.set(runner.revisionId, (runnerCounts.get(runner.revisionId) ?? 0) + 1);
      }
      return {
        applications: revisions.map((revision) =>
          toApplicationInfo(revision, runnerCounts.get(revision.revisionId) ?? 0),
        ),
      };
    },

    async deleteApplication(request, context) {
      const { principal } = rpcCall(context);
      if (request.applicationId === '') {
        throw new LannerError('invalid_argument', 'No revision was named; pass the id that `fal apps list-rev` shows.');
      }
      await deps.apps.deleteRevision(principal.accountId, request.applicationId);
      return {};
    },

    async rolloutApplication(request, context) {
      const { principal } = rpcCall(context);
      const environmentName = environmentNameOf(request.environmentName);
      const alias = await aliasIn(deps, principal.accountId, environmentName, request.applicationName);
      await deps.fleet.rollout(alias.aliasId, request.force ?? false);
      return {};
    },
  };
}
