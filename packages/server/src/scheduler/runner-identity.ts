import type { CodeSpec } from '../apps/app-types.ts';
import { defaultAppPort, toGraceMs } from './runner-request.ts';
import type { RunnerIdentity } from './runner.ts';

/** Who a runner that serves an alias works for. `port`: default what its code says. */
export function toServingIdentity(input: {
  runnerId: string;
  accountId: string;
  ownerNickname: string;
  aliasName: string;
  revision: { revisionId: string; environmentName: string; code: CodeSpec };
  machineType: string | undefined;
  startReason: string;
  port?: number | null;
}): RunnerIdentity {
  const { runnerId, accountId, ownerNickname, aliasName, revision, startReason } = input;
  return {
    ...{ runnerId, accountId, aliasName, startReason },
    aliasId: `${accountId}/${aliasName}`,
    appName: `${ownerNickname}/${aliasName}`,
    environmentName: revision.environmentName,
    revisionId: revision.revisionId,
    machineType: input.machineType ?? 'XS',
    graceMs: toGraceMs(revision.code),
    port: input.port ?? revision.code.exposedPort ?? defaultAppPort,
  };
}
