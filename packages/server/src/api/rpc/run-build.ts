import { LannerError, type EnvironmentDefinition } from '@lanner/protocol';
import type { Log } from '@lanner/protocol/common';
import { requirementSecretNames } from '../../apps/requirement-secrets.ts';
import type { ControllerDeps } from './controller-deps.ts';
import { toLogMessage } from './log-messages.ts';

/**
 * Builds an environment, or finds it built, and yields its log as it is written.
 *
 * @param toMessage wraps log lines in the message of the RPC at hand.
 * @returns the environment's id.
 * @throws the failure of the build, with its text: that is what the user reads.
 */
export async function* runBuild<Message>(
  deps: Pick<ControllerDeps, 'driver' | 'accounts' | 'secrets'>,
  input: {
    accountId: string;
    /** Whose secrets the requirements may mention. */
    environmentName: string;
    environment: EnvironmentDefinition;
    force: boolean;
    signal: AbortSignal;
  },
  toMessage: (logs: Log[]) => Message,
): AsyncGenerator<Message, string> {
  const account = await deps.accounts.get(input.accountId);
  if (account === null) throw new LannerError('not_found', 'The account of this key was not found.');
  const names = requirementSecretNames(input.environment);
  const { accountId, environmentName } = input;
  const requirementSecrets =
    names.length === 0 ? undefined : await deps.secrets.valuesForRunner(accountId, environmentName, names);
  const build = deps.driver.build(
    {
      accountId: input.accountId,
      accountOrdinal: account.ordinal,
      environment: input.environment,
      ...(requirementSecrets === undefined ? {} : { requirementSecrets }),
      force: input.force,
    },
    input.signal,
  );
  for await (const message of build) {
    switch (message.type) {
      case 'log':
        yield toMessage([toLogMessage({ ...message, source: 'builder' })]);
        break;
      case 'done':
        return message.environmentId;
      case 'failed':
        throw new LannerError(message.code, message.message);
    }
  }
  throw new LannerError(
    'supervisor_unavailable',
    'The build ended without a result. Try again; the server log has the details.',
  );
}
