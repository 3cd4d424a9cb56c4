import { LannerError, type AppFile, type StartRunnerRequest } from '@lanner/protocol';
import type { CodeSpec } from '../apps/app-types.ts';
import type { Secrets } from '../apps/environments-and-secrets.ts';
import { requirementSecretNames } from '../apps/requirement-secrets.ts';
import type { MachineTypes } from '../apps/machine-types.ts';
import type { Accounts } from '../auth/accounts.ts';
import type { Keys } from '../auth/keys.ts';
import type { PrepareRequest } from './runner-lifecycle.ts';
import { toStartRunnerRequest, type RunnerPlatform } from './runner-request.ts';

export interface PrepareDeps {
  accounts: Pick<Accounts, 'get'>;
  keys: Pick<Keys, 'createRunnerKey'>;
  secrets: Pick<Secrets, 'valuesForRunner'>;
  /** The mode (`st_mode`) a file was uploaded with; null for a hash the account never uploaded. */
  modeOf: (accountId: string, hash: string) => Promise<number | null>;
  machineTypes: Pick<MachineTypes, 'get'>;
}

/** Code and surroundings of the runners of one revision or run. */
export interface RunnerSource {
  accountId: string;
  environmentName: string;
  /** Revision, or run for ephemeral code. */
  revisionId: string;
  name: string;
  code: CodeSpec;
  purpose: 'serve' | 'run';
  startupTimeoutSeconds: number;
  platform: RunnerPlatform;
}

/**
 * Gathers what a runner needs at the moment it starts: its own key, the secrets as they are now, its files. The parts are
 * asked for side by side, because a caller is waiting.
 */
export function createRunnerPreparation(deps: PrepareDeps): (source: RunnerSource) => PrepareRequest {
  // Code never changes, so its files' modes are looked up once.
  const filesOf = new WeakMap<CodeSpec, Promise<AppFile[]>>();

  const findFile = async (accountId: string, file: CodeSpec['files'][number]): Promise<AppFile> => {
    const mode = await deps.modeOf(accountId, file.hash);
    if (mode !== null) return { ...file, mode };
    throw new LannerError('not_found', `The app's file ${file.relativePath} was never uploaded. Deploy the app again.`);
  };

  const findFiles = (accountId: string, code: CodeSpec): Promise<AppFile[]> => {
    let files = filesOf.get(code);
    if (!files) {
      files = Promise.all(code.files.map((file) => findFile(accountId, file)));
      filesOf.set(code, files);
      files.catch(() => filesOf.delete(code));
    }
    return files;
  };

  return (source) =>
    async ({ runnerId, machineType }): Promise<StartRunnerRequest> => {
      const { accountId, environmentName, code } = source;
      const mentioned = requirementSecretNames(code.environment);
      const [account, key, secrets, files, requirementSecrets] = await Promise.all([
        deps.accounts.get(accountId),
        deps.keys.createRunnerKey(accountId, runnerId),
        deps.secrets.valuesForRunner(accountId, environmentName, code.secretNames),
        findFiles(accountId, code),
        mentioned.length === 0 ? null : deps.secrets.valuesForRunner(accountId, environmentName, mentioned),
      ]);
      if (!account) throw new LannerError('not_found', 'The account that owns this app does not exist any more.');
      return toStartRunnerRequest({
        runnerId,
        account,
        revisionId: source.revisionId,
        name: source.name,
        code,
        purpose: source.purpose,
        startupTimeoutSeconds: source.startupTimeoutSeconds,
        machineType,
        machineTypes: deps.machineTypes,
        key,
        secrets,
        requirementSecrets,
        files,
        platform: source.platform,
      });
    };
}
