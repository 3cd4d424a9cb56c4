import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { ControllerDeps } from './controller-deps.ts';
import type { ControllerPart } from './controller-part.ts';
import { environmentNameOf } from './environment-names.ts';
import { rpcCall } from './rpc-call.ts';

/** Secrets of one environment. Values go in and never come out again. */
export function createSecretMethods(
  deps: Pick<ControllerDeps, 'secrets' | 'environments'>,
): ControllerPart<'setSecret' | 'listSecrets'> {
  return {
    async setSecret(request, context) {
      const { principal } = rpcCall(context);
      const environmentName = environmentNameOf(request.environmentName);
      await deps.environments.assertExists(principal.accountId, environmentName);
      // An empty string is a value; only an absent one deletes.
      if (request.value === undefined) {
        await deps.secrets.unset(principal.accountId, environmentName, request.name);
      } else {
        await deps.secrets.set(
          principal.accountId,
          environmentName,
          request.name,
          request.value,
          request.defaultExposed,
        );
      }
      return {};
    },

    async listSecrets(request, context) {
      const { principal } = rpcCall(context);
      const environmentName = environmentNameOf(request.environmentName);
      await deps.environments.assertExists(principal.accountId, environmentName);
      const secrets = await deps.secrets.list(principal.accountId, environmentName);
      return {
        secrets: secrets.map((secret) => ({
          name: secret.name,
          createdTime: timestampFromMs(secret.createdAtMs),
          environmentName: secret.environmentName,
          ...(secret.defaultExposed === null ? {} : { defaultExposed: secret.defaultExposed }),
        })),
      };
    },
  };
}
