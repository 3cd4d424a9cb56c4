import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { LannerError } from '@lanner/protocol';
import { EnvironmentInfoSchema, type EnvironmentInfo as EnvironmentMessage } from '@lanner/protocol/controller';
import type { EnvironmentInfo } from '../../apps/environments-and-secrets.ts';
import type { ControllerDeps } from './controller-deps.ts';
import type { ControllerPart } from './controller-part.ts';
import { rpcCall } from './rpc-call.ts';

const longestDescription = 1000;

/** Deployment environments of the caller's account. */
export function createEnvironmentMethods(
  deps: Pick<ControllerDeps, 'environments'>,
): ControllerPart<'listEnvironments' | 'createEnvironment' | 'deleteEnvironment'> {
  return {
    async listEnvironments(_request, context) {
      const { principal } = rpcCall(context);
      const environments = await deps.environments.list(principal.accountId);
      return { environments: environments.map(toEnvironmentMessage) };
    },

    async createEnvironment(request, context) {
      const { principal } = rpcCall(context);
      const description = request.description ?? null;
      if (description !== null && description.length > longestDescription) {
        throw new LannerError(
          'invalid_argument',
          `The description of the environment has ${description.length} characters; the limit is ${longestDescription}.`,
        );
      }
      const environment = await deps.environments.create(principal.accountId, request.name, description);
      return { environment: toEnvironmentMessage(environment) };
    },

    async deleteEnvironment(request, context) {
      const { principal } = rpcCall(context);
      await deps.environments.delete(principal.accountId, request.name);
      return {};
    },
  };
}

function toEnvironmentMessage(environment: EnvironmentInfo): EnvironmentMessage {
  return create(EnvironmentInfoSchema, {
    name: environment.name,
    isDefault: environment.isDefault,
    createdAt: timestampFromMs(environment.createdAtMs),
    ...(environment.description === null ? {} : { description: environment.description }),
  });
}
