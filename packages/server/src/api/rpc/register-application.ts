import type { MessageInitShape } from '@bufbuild/protobuf';
import { isLannerError, LannerError, type ErrorCode, type Json } from '@lanner/protocol';
import type { RegisterApplicationResultSchema } from '@lanner/protocol/controller';
import { assertAliasName } from '../../apps/alias-name.ts';
import { serviceUrls } from '../service-urls.ts';
import { parseAuthMode, parseIsRolling } from './app-messages.ts';
import { assertEnvironmentId } from './code-draft.ts';
import type { ControllerDeps } from './controller-deps.ts';
import type { ControllerPart } from './controller-part.ts';
import { environmentNameOf } from './environment-names.ts';
import { createLogLineQueue } from './log-line-queue.ts';
import { toLogMessage } from './log-messages.ts';
import { prepareCode, storeCallable } from './prepare-code.ts';
import { parseMetadata, parseRetryConfig, parseSkipRetryConditions, parseSourceCode } from './revision-metadata.ts';
import { rpcCall } from './rpc-call.ts';
import { runBuild } from './run-build.ts';

type DeployDeps = Pick<
  ControllerDeps,
  'accounts' | 'appFiles' | 'apps' | 'blobs' | 'driver' | 'environments' | 'fleet' | 'log' | 'machineTypes' | 'secrets'
>;
type DeployMessage = MessageInitShape<typeof RegisterApplicationResultSchema>;

/** Log lines of a starting runner kept for a client that reads slowly. */
const mostWaitingLines = 10_000;

/** Deploying: a new revision, and the alias moved to it. */
export function createDeployMethods(deps: DeployDeps): ControllerPart<'registerApplication'> {
  return {
    async *registerApplication(request, context) {
      const { principal, origin, signal } = rpcCall(context);
      const { accountId } = principal;
      const environmentName = environmentNameOf(request.environmentName);
      const aliasName =
        request.applicationName === undefined || request.applicationName === '' ? null : request.applicationName;
      if (aliasName !== null) assertAliasName(aliasName, environmentName);
      // Clients show a deploy that says nothing as private, also of an app that was public: so it has to be.
      const authMode = parseAuthMode(request.authMode) ?? 'private';
      const isRolling = parseIsRolling(request.deploymentStrategy);
      const metadata = parseMetadata(request.metadata as { [key: string]: Json } | undefined);
      const sourceCode = parseSourceCode(request.sourceCode);
      const skipRetryConditions = parseSkipRetryConditions(request.skipRetryConditions);
      const retryConfig = parseRetryConfig(request.retryConfig);
      const { draft, settingsPatch } = await prepareCode(deps, accountId, environmentName, request, {
        // The older place of one setting; the newer one wins.
        maxConcurrency: request.maxConcurrency,
        ...withoutUndefined(request.machineRequirements ?? {}),
      });
      const present = aliasName === null ? null : await deps.apps.getAlias(accountId, aliasName);

      // Sends the headers, and with them ends the client's readiness to repeat the call.
      yield {};

      const envId = yield* runBuild(
        deps,
        {
          accountId,
          environmentName,
          environment: draft.environment,
          force: draft.forceBuild && request.buildEnvironment !== false,
          signal,
        },
        (logs): DeployMessage => ({ logs }),
      );
      assertEnvironmentId(request.envId, envId);

      const { forceBuild: _, ...code } = draft;
      const revision = await deps.apps.addRevision({
        accountId,
        environmentName,
        aliasName,
        code: {
          ...code,
          callable: await storeCallable(draft.callable, (definition) => deps.blobs.putContent(definition)),
        },
        settings: settingsPatch,
        metadata,
        sourceCode,
        privateLogs: request.privateLogs ?? false,
        skipRetryConditions,
        retryConfig,
      });
      const { revisionId } = revision;
      const urls = serviceUrls(origin, principal.nickname, aliasName ?? revisionId);

      if (aliasName !== null) {
        // A detached deploy moves the alias first; the first deploy of an app is never detached.
        const isDetached = request.attachToDeployment === false && present !== null;
        if (isRolling === true && !isDetached) {
          try {
            yield* firstRunner(deps, { accountId, aliasName, revisionId, signal });
            signal.throwIfAborted();
          } catch (error) {
            // Nothing was moved, and a revision that cannot run is no revision to keep.
            await deps.apps
              .deleteRevision(accountId, revisionId)
              .catch((cause: unknown) => deps.log.warn({ err: cause, revisionId }, 'failed revision was not deleted'));
            throw withLogUrl(error, urls.log);
          }
        }
        await deps.apps.pointAlias({
          accountId,
          environmentName,
          aliasName,
          revisionId,
          authMode,
          resetScale: request.scale ?? false,
        });
      }
      // One message, and the last thing done: the client hangs up as soon as it sees the result.
      yield { result: { applicationId: revisionId }, serviceUrls: urls, envId };
    },
  };
}

/** Starts one runner of the new revision and yields its log until it is ready. Ends it when the caller leaves first. */
async function* firstRunner(
  deps: Pick<ControllerDeps, 'fleet'>,
  input: { accountId: string; aliasName: string; revisionId: string; signal: AbortSignal },
): AsyncGenerator<DeployMessage, void> {
  const queue = createLogLineQueue(mostWaitingLines);
  const left = new AbortController();
  const ready = deps.fleet
    .startFirstRunner({
      ...input,
      signal: AbortSignal.any([input.signal, left.signal]),
      onLog: (line) => queue.push(line),
    })
    .finally(() => queue.close());
  // Awaited below; a failure while lines are still being read must not count as unhandled.
  ready.catch(() => undefined);
  let isOver = false;
  try {
    for await (const lines of queue.batches()) yield { logs: lines.map(toLogMessage) };
    isOver = true;
    await ready;
  } finally {
    if (!isOver) left.abort(new LannerError('client_disconnected', 'The client left before the deploy was done.'));
  }
}

const deployFailures: ReadonlySet<ErrorCode> = new Set([
  'rollout_failed',
  'startup_failed',
  'startup_timeout',
  'runner_crashed',
  'build_failed',
  'no_capacity',
]);

/** A failed deploy is shown as a reason and, on the second line, where its log is; more text of the reason follows. */
function withLogUrl(error: unknown, logUrl: string): unknown {
  if (!isLannerError(error) || !deployFailures.has(error.code)) return error;
  const [reason = '', ...rest] = error.message.split('\n');
  // One status for all of them, whatever kept the runner from becoming ready.
  return new LannerError('rollout_failed', [reason, `Logs: ${logUrl}`, ...rest].join('\n'), {
    cause: error,
    details: { reason: error.code },
  });
}

function withoutUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T;
}
