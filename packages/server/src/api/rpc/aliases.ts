import { LannerError } from '@lanner/protocol';
import type { AliasInfo } from '@lanner/protocol/controller';
import { assertAliasName } from '../../apps/alias-name.ts';
import type { Alias, Revision } from '../../apps/app-types.ts';
import { parseAuthMode, parseIsRolling, toAliasInfo } from './app-messages.ts';
import type { ControllerDeps } from './controller-deps.ts';
import type { ControllerPart } from './controller-part.ts';
import { environmentNameOf } from './environment-names.ts';
import { rpcCall } from './rpc-call.ts';

type AliasDeps = Pick<ControllerDeps, 'apps' | 'environments' | 'fleet'>;

/** Aliases: the public names, each pointing at one revision. */
export function createAliasMethods(deps: AliasDeps): ControllerPart<'setAlias' | 'deleteAlias' | 'listAliases'> {
  return {
    async setAlias(request, context) {
      const { principal, signal } = rpcCall(context);
      const environmentName = environmentNameOf(request.environmentName);
      const authMode = parseAuthMode(request.authMode);
      const isRolling = parseIsRolling(request.deploymentStrategy);
      await deps.environments.assertExists(principal.accountId, environmentName);
      assertAliasName(request.alias, environmentName);
      const revision = await revisionIn(deps, principal.accountId, environmentName, request.revision);
      const present = await deps.apps.getAlias(principal.accountId, request.alias);
      // Without a strategy the alias just moves. Rolling on the revision that is already active would prove nothing.
      const isMove = present !== null && present.revisionId !== revision.revisionId;
      if (isRolling === true && isMove) {
        await deps.fleet.startFirstRunner({
          accountId: principal.accountId,
          aliasName: request.alias,
          revisionId: revision.revisionId,
          signal,
          onLog: () => undefined,
        });
      }
      const alias = await deps.apps.pointAlias({
        accountId: principal.accountId,
        environmentName,
        aliasName: request.alias,
        revisionId: revision.revisionId,
        authMode,
        resetScale: false,
      });
      return { aliasInfo: aliasInfoOf(deps, alias) };
    },

    async deleteAlias(request, context) {
      const { principal } = rpcCall(context);
      await aliasIn(deps, principal.accountId, environmentNameOf(request.environmentName), request.alias);
      const { revisionId } = await deps.apps.deleteAlias(principal.accountId, request.alias);
      return { revision: revisionId };
    },

    async listAliases(request, context) {
      const { principal } = rpcCall(context);
      const environmentName = environmentNameOf(request.environmentName);
      await deps.environments.assertExists(principal.accountId, environmentName);
      const aliases = await deps.apps.listAliases(principal.accountId, environmentName);
      return { aliases: aliases.map((alias) => aliasInfoOf(deps, alias)) };
    },
  };
}

/** An alias with what the fleet knows about it right now. */
export function aliasInfoOf(deps: Pick<ControllerDeps, 'fleet'>, alias: Alias): AliasInfo {
  return toAliasInfo(alias, {
    activeRunners: deps.fleet.countRunners(alias.aliasId),
    isRolling: deps.fleet.isRolling(alias.aliasId),
  });
}

/** The alias of that name in that environment. Throws `app_not_found`, and `not_found` for an unknown environment. */
export async function aliasIn(
  deps: Pick<ControllerDeps, 'apps' | 'environments'>,
  accountId: string,
  environmentName: string,
  aliasName: string,
): Promise<Alias> {
  await deps.environments.assertExists(accountId, environmentName);
  const alias = await deps.apps.getAlias(accountId, aliasName);
  if (alias === null || alias.environmentName !== environmentName) {
    throw new LannerError(
      'app_not_found',
      `The app "${aliasName.slice(0, 200)}" was not found in the environment "${environmentName}". ` +
        'See the apps there are with `fal apps list`.',
    );
  }
  return alias;
}

async function revisionIn(
  deps: Pick<ControllerDeps, 'apps'>,
  accountId: string,
  environmentName: string,
  revisionId: string,
): Promise<Revision> {
  const revision = await deps.apps.getRevision(accountId, revisionId);
  if (revision === null) {
    throw new LannerError(
      'revision_not_found',
      `The revision "${revisionId.slice(0, 200)}" was not found in this account.`,
    );
  }
  if (revision.environmentName !== environmentName) {
    throw new LannerError(
      'conflict',
      `The revision "${revisionId}" was deployed to the environment "${revision.environmentName}", not "${environmentName}"; ` +
        'deploy the app there instead.',
    );
  }
  return revision;
}
