import { create } from '@bufbuild/protobuf';
import { timestampMs, type Timestamp } from '@bufbuild/protobuf/wkt';
import { isLannerError, LannerError } from '@lanner/protocol';
import {
  RunnerInfo_ReplaceState as ReplaceState,
  RunnerInfo_State as State,
  RunnerInfoSchema,
  type RunnerInfo,
} from '@lanner/protocol/controller';
import type { RunnerState, RunnerView } from '../../scheduler/fleet.ts';
import { aliasIn } from './aliases.ts';
import type { ControllerDeps } from './controller-deps.ts';
import type { ControllerPart } from './controller-part.ts';
import { environmentNameOf } from './environment-names.ts';
import { rpcCall } from './rpc-call.ts';

const longestLookBackMs = 24 * 3600 * 1000;

const states: Record<RunnerState, State> = {
  PENDING: State.PENDING,
  SETUP: State.SETUP,
  IDLE: State.IDLE,
  RUNNING: State.RUNNING,
  DRAINING: State.DRAINING,
  TERMINATING: State.TERMINATING,
  TERMINATED: State.TERMINATED,
  FAILURE_DELAY: State.FAILURE_DELAY,
};

/** Runners: list, stop, kill. */
export function createRunnerMethods(
  deps: Pick<ControllerDeps, 'apps' | 'environments' | 'fleet' | 'clock'>,
): ControllerPart<'listAliasRunners' | 'listRunners' | 'stopRunner' | 'killRunner'> {
  const list = async (
    accountId: string,
    aliasName: string | undefined,
    request: { listPending?: boolean | undefined; startTime?: Timestamp | undefined },
  ): Promise<RunnerInfo[]> => {
    const nowMs = deps.clock.nowMs();
    const endedSinceMs = decideEndedSince(request.startTime, nowMs);
    const filter = aliasName === undefined ? {} : { aliasName };
    const runners =
      endedSinceMs === undefined
        ? deps.fleet.listRunners(accountId, filter)
        : await deps.fleet.listRunnersSince(accountId, { ...filter, endedSinceMs });
    return runners
      .filter((runner) => runner.state !== 'PENDING' || request.listPending !== false)
      .map((runner) => toRunnerInfo(runner, nowMs));
  };

  return {
    async listAliasRunners(request, context) {
      const { principal } = rpcCall(context);
      const environmentName = environmentNameOf(request.environmentName);
      await aliasIn(deps, principal.accountId, environmentName, request.alias);
      return { runners: await list(principal.accountId, request.alias, request) };
    },

    async listRunners(request, context) {
      const { principal } = rpcCall(context);
      return { runners: await list(principal.accountId, undefined, request) };
    },

    async stopRunner(request, context) {
      const { principal } = rpcCall(context);
      await sayingNotFound(request.runnerId, () =>
        deps.fleet.stopRunner(principal.accountId, request.runnerId, request.replaceFirst),
      );
      return {};
    },

    async killRunner(request, context) {
      const { principal } = rpcCall(context);
      await sayingNotFound(request.runnerId, () => deps.fleet.killRunner(principal.accountId, request.runnerId));
      return {};
    },
  };
}

/** Clients look for the words "not found" in the text of this refusal, so it is worded in one place. */
export async function sayingNotFound<Result>(runnerId: string, act: () => Result | Promise<Result>): Promise<Result> {
  try {
    return await act();
  } catch (error) {
    if (!isLannerError(error) || error.code !== 'runner_not_found') throw error;
    throw new LannerError(
      'runner_not_found',
      `Runner "${runnerId.slice(0, 200)}" not found among the live runners of this account.`,
      { cause: error },
    );
  }
}

/**
 * From when on ended runners are listed as well; undefined = none. Clients send naive local time as if it were UTC, so the
 * value may be off by hours: live runners are listed whatever it says, and a time in the future (a client east of
 * Greenwich) means the longest span that can be asked for.
 */
export function decideEndedSince(startTime: Timestamp | undefined, nowMs: number): number | undefined {
  if (startTime === undefined) return undefined;
  const sinceMs = timestampMs(startTime);
  return sinceMs > nowMs ? nowMs - longestLookBackMs : sinceMs;
}

function toRunnerInfo(runner: RunnerView, nowMs: number): RunnerInfo {
  return create(RunnerInfoSchema, {
    runnerId: runner.runnerId,
    inFlightRequests: runner.inFlightRequests,
    uptime: Math.max(0, (runner.endedAtMs ?? nowMs) - runner.startedAtMs) / 1000,
    ...(runner.expiresInMs === null ? {} : { expirationCountdown: Math.max(0, Math.ceil(runner.expiresInMs / 1000)) }),
    externalMetadata: {
      present_in_group: true,
      leases: runner.leases.map((lease) => ({
        request_id: lease.requestId,
        leased_at_epoch: lease.leasedAtMs / 1000,
        caller_user_id: lease.callerAccountId,
      })),
    },
    revision: runner.revisionId,
    alias: runner.aliasName,
    state: states[runner.state],
    replacement: ReplaceState[runner.replacement],
    machineType: runner.machineType,
  });
}
