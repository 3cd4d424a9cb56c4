import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  HostedRunStatus_State as State,
  type HostedRun,
  type HostedRunResultSchema,
} from '@lanner/protocol/controller';
import type { EphemeralRun } from '../../scheduler/fleet.ts';
import { serviceUrls } from '../service-urls.ts';
import { parseAuthMode } from './app-messages.ts';
import { coalesce } from './coalesce.ts';
import { assertEnvironmentId } from './code-draft.ts';
import type { ControllerDeps } from './controller-deps.ts';
import type { ControllerPart } from './controller-part.ts';
import { environmentNameOf } from './environment-names.ts';
import { toLogMessage } from './log-messages.ts';
import { prepareCode, storeCallable, uniqueBlobName } from './prepare-code.ts';
import { rpcCall, type RpcCall } from './rpc-call.ts';
import { runBuild } from './run-build.ts';
import { toReturnValue } from './run-outcome.ts';

type RunDeps = Pick<
  ControllerDeps,
  | 'accounts'
  | 'appFiles'
  | 'blobs'
  | 'clock'
  | 'driver'
  | 'endOfRuns'
  | 'environments'
  | 'fleet'
  | 'log'
  | 'machineTypes'
  | 'secrets'
>;
type RunMessage = MessageInitShape<typeof HostedRunResultSchema>;

/** Most log lines in one message. */
const mostLinesPerMessage = 500;

/**
 * How long the end of a call lets an exception go before, for clients in Python. They raise it at once, leave the stream, and may end
 * their process within milliseconds. gRPC for Python hangs for ever when the status of a call arrives in just that moment: the
 * thread that handles it is stopped with the lock of the call, for which the call's finalizer then waits. A process that takes longer
 * than this has long handled it.
 */
const exceptionAheadMs = 1_000;

/** Running a callable once, or an app for as long as the caller stays. */
export function createRunMethods(deps: RunDeps): ControllerPart<'run'> {
  return {
    async *run(request, context) {
      const call = rpcCall(context);
      const { accountId } = call.principal;
      const environmentName = environmentNameOf(request.environmentName);
      const authMode = parseAuthMode(request.authMode) ?? 'private';
      const { draft, settings } = await prepareCode(
        deps,
        accountId,
        environmentName,
        request,
        request.machineRequirements ?? {},
      );

      // Sends the headers, and with them ends the client's readiness to repeat the call.
      yield { status: { state: State.IN_PROGRESS } };

      // `build_environment: false` promises that the tree is there; asking for it costs nothing then, and a cold cache
      // is healed instead of refused. Only the forced rebuild is not repeated.
      const envId = yield* runBuild(
        deps,
        {
          accountId,
          environmentName,
          environment: draft.environment,
          force: draft.forceBuild && request.buildEnvironment !== false,
          signal: call.signal,
        },
        (logs): RunMessage => ({ logs }),
      );
      assertEnvironmentId(request.envId, envId);

      const blobNames: string[] = [];
      try {
        const callable = await storeCallable(draft.callable, async (definition) => {
          const name = uniqueBlobName();
          blobNames.push(name);
          await deps.blobs.put(name, definition);
          return name;
        });
        const { forceBuild: _, ...code } = draft;
        // A run can last for days; its pickle, arguments included, need not stay in memory that long.
        const name = nameOf(request);
        request.callable = { case: undefined };
        draft.callable = null;
        const run = await deps.fleet.startRun({
          accountId,
          ownerNickname: call.principal.nickname,
          environmentName,
          name,
          code: { ...code, callable },
          authMode,
          settings,
        });
        const signals = deps.endOfRuns ? [call.signal, deps.endOfRuns] : [call.signal];
        yield* followRun(deps, run, call, envId, AbortSignal.any(signals));
      } finally {
        // Not waited for: the client that has its value must not wait for the end of the call.
        void forgetBlobs(deps, blobNames);
      }
    },
  };
}

/** Yields what a started run says until it has ended; ends it when the reader leaves first. */
async function* followRun(
  { clock }: Pick<RunDeps, 'clock'>,
  run: EphemeralRun,
  call: RpcCall,
  envId: string,
  signal: AbortSignal,
): AsyncGenerator<RunMessage> {
  const { runId } = run;
  try {
    const urls = run.publicName === null ? null : serviceUrls(call.origin, call.principal.nickname, run.publicName);
    // Once, and only now: clients start their health polling when they see the URLs.
    yield { runId, envId, ...(urls === null ? {} : { serviceUrls: urls }) };
    for await (const events of coalesce(run.events(signal), mostLinesPerMessage)) {
      const logs = events.flatMap((event) => (event.type === 'log' ? [toLogMessage(event.line)] : []));
      // Never together with the value: clients lose the lines beside a raised exception.
      if (logs.length > 0) yield { runId, logs };
      const outcome = events.find((event) => event.type === 'outcome');
      if (outcome === undefined) continue;
      const returnValue = toReturnValue(outcome);
      yield { runId, envId, status: { state: State.SUCCESS }, returnValue };
      if (returnValue.wasItRaised && call.userAgent.includes('grpc-python')) {
        await clock.sleep(exceptionAheadMs, call.signal).catch(() => undefined);
      }
      return;
    }
  } finally {
    await run.end();
  }
}

/** Any text may come here: a function's name, an entrypoint, the name of a deployed app. */
function nameOf(request: HostedRun): string {
  if (request.applicationName) return request.applicationName;
  return request.callable.case === 'entrypoint' ? request.callable.value : 'run';
}

async function forgetBlobs(deps: Pick<ControllerDeps, 'blobs' | 'log'>, names: string[]): Promise<void> {
  for (const name of names) {
    try {
      await deps.blobs.delete(name);
    } catch (error) {
      deps.log.warn({ err: error, blob: name }, 'definition of an ended run was not deleted');
    }
  }
}
