import type { Clock } from '@lanner/protocol';
import { hasPermission } from '../../auth/permissions.ts';
import type { Authenticator, Principal } from '../../auth/principal.ts';
import type { Blobs } from '../../blobs/blobs.ts';
import type { AccessRecord } from '../../observe/access-log.ts';
import type { Logger } from '../../observe/logger.ts';
import type { RunnerLogs } from '../../observe/runner-logs.ts';
import type { AnyRequest, Route } from '../../ports/route.ts';
import type { LiveRequest } from '../../queue/live-request.ts';
import type { EndedRequest, RequestStore } from '../../queue/request-store.ts';
import type { RunnerDriver } from '../../runners/runner-driver.ts';
import type { Targets } from '../../scheduler/dispatcher.ts';
import { admitCall } from '../admit-call.ts';
import { createCallHandler, type HttpCall } from '../call-handler.ts';
import { discardBody, type AnyResponse } from '../caller.ts';
import { readCredential } from '../read-credential.ts';
import { requireTokenForRequestsOf, resolveApp, type ResolvedApp } from '../resolve-app.ts';
import { sendJson } from '../answer.ts';
import { isRequestId, parseQueuePath } from './parse-queue-path.ts';
import { readRequestLogs } from './request-logs.ts';
import type { RequestQueue } from './request-queue.ts';
import { sendStoredResult } from './send-stored-result.ts';
import { toEndedStatus, toLiveStatus, toUrls, type StatusBody, type StatusLog } from './status-body.ts';
import { StatusStream } from './status-stream.ts';
import { StreamTicker } from './status-streams.ts';
import { readSubmit } from './submit.ts';

export interface QueueHandlerDeps {
  queue: RequestQueue;
  store: RequestStore;
  blobs: Blobs;
  targets: Targets;
  authenticator: Authenticator;
  runnerLogs: Pick<RunnerLogs, 'read'>;
  driver: Pick<RunnerDriver, 'onEvent'>;
  clock: Clock;
  log: Logger;
  /** Default 256 MiB. */
  maxBodyBytes?: number;
  /** Told of every call that is over. */
  onCall?: (record: AccessRecord) => void;
  /** Whether a webhook may go to an address inside the network. Default false. */
  allowPrivateWebhooks?: boolean;
}

const defaultMaxBodyBytes = 256 * 1024 ** 2;
const discardBytes = 1024 ** 2;

/** A request that the caller may see. */
export type FoundRequest = { live: LiveRequest } | { ended: EndedRequest };

/** The queue role over HTTP (data-plane 3). Never throws. */
export function createQueueHandler(
  deps: QueueHandlerDeps,
): (request: AnyRequest, response: AnyResponse, route: Route) => void {
  const { queue, store, blobs, clock } = deps;
  const log = deps.log.child({ component: 'queue' });
  const ticker = new StreamTicker(clock);

  const statusOf = async (
    found: FoundRequest,
    route: Route,
    wantsLogs: boolean,
    logsSinceMs?: number,
  ): Promise<StatusBody> => {
    if ('ended' in found) {
      const { ended } = found;
      return toEndedStatus(ended, route.origin, wantsLogs ? await logsOf(ended, logsSinceMs) : null);
    }
    const { live } = found;
    const logs = wantsLogs && live.state === 'running' ? await logsOf(live, logsSinceMs) : null;
    return toLiveStatus(live, route.origin, live.state === 'waiting' ? queue.position(live) : 0, logs);
  };
  const logsOf = (request: LiveRequest | EndedRequest, sinceMs?: number): Promise<StatusLog[]> =>
    readRequestLogs(deps.runnerLogs, request, sinceMs);

  const submit = async (call: HttpCall, resolved: ResolvedApp): Promise<void> => {
    const { request, response, route } = call;
    const admitted = await admitCall(resolved, request.headers, deps.authenticator);
    call.accountId = admitted.principal?.accountId ?? null;
    const { requestId } = call;
    const submission = await readSubmit({
      ...{ request, route, requestId, admitted, clock, blobs },
      maxBodyBytes: deps.maxBodyBytes ?? defaultMaxBodyBytes,
      allowPrivateWebhooks: deps.allowPrivateWebhooks ?? false,
    });
    const { position } = await queue.submit(submission.request, submission.maxQueueLength);
    sendJson(response, 200, requestId, {
      status: 'IN_QUEUE',
      request_id: requestId,
      gateway_request_id: requestId,
      ...toUrls(route.origin, submission.request.appId, requestId),
      queue_position: position,
    });
    call.status = 200;
  };

  /** Looks a request up for a caller: its submitter or the app's owner; for anonymous submits whoever knows the id. */
  const find = async (call: HttpCall, resolved: ResolvedApp, requestId: string): Promise<FoundRequest | null> => {
    const { appPath, target } = resolved;
    const credential = readCredential(call.request.headers, appPath.query);
    const principal = await (target?.authMode === 'public'
      ? deps.authenticator.authenticateOptional(credential)
      : deps.authenticator.authenticate(credential));
    call.accountId = principal?.accountId ?? null;
    requireTokenForRequestsOf(appPath, principal);
    if (!isRequestId(requestId)) return null;
    const live = queue.find(requestId);
    const ended = live === null ? await store.findEnded(requestId) : null;
    const found = live ?? ended;
    const appId = target === null ? `${appPath.owner}/${appPath.app}` : `${target.ownerNickname}/${target.name}`;
    if (found === null || found.appId !== appId || !maySee(principal, found)) return null;
    return live === null ? { ended: ended! } : { live };
  };

  const serve = async (call: HttpCall): Promise<void> => {
    const { request, response, route } = call;
    const resolved = resolveApp(deps.targets, route.path);
    call.app = resolved.target === null ? undefined : `${resolved.target.ownerNickname}/${resolved.target.name}`;
    const { path, query } = resolved.appPath;
    const operation = parseQueuePath(request.method ?? 'GET', path);
    if (operation.kind === 'submit') return submit(call, resolved);
    discardBody(request, response, discardBytes);
    if (isRequestId(operation.requestId)) call.requestId = operation.requestId;
    call.isPoll = operation.kind === 'status';
    const found = await find(call, resolved, operation.requestId);
    const wantsLogs = /^(1|true)$/i.test(new URLSearchParams(query).get('logs') ?? '');
    if (found === null) {
      const body =
        operation.kind === 'result' ? { detail: 'Request not found', status: 'NOT_FOUND' } : { status: 'NOT_FOUND' };
      call.status = 404;
      return sendJson(response, 404, call.requestId, body);
    }
    switch (operation.kind) {
      case 'status': {
        const body = await statusOf(found, route, wantsLogs);
        call.status = body.status === 'COMPLETED' ? 200 : 202;
        return sendJson(response, call.status, operation.requestId, body);
      }
      case 'status-stream':
        call.status = 200;
        return new StatusStream({
          response,
          requestId: operation.requestId,
          read: async (logsSinceMs) => {
            const live = queue.find(operation.requestId);
            const ended = live === null ? await store.findEnded(operation.requestId) : null;
            if (live === null && ended === null) return null;
            return statusOf(live === null ? { ended: ended! } : { live }, route, wantsLogs, logsSinceMs);
          },
          observe: (listener) => {
            const stopObserving = queue.observe(operation.requestId, listener);
            const stopListening = wantsLogs
              ? deps.driver.onEvent((event) => {
                  if (event.type !== 'runner.log') return;
                  const live = queue.find(operation.requestId);
                  if (live?.state === 'running' && live.runnerId === event.runnerId) listener();
                })
              : undefined;
            return () => {
              stopObserving();
              stopListening?.();
            };
          },
          isOver: () => queue.isStopping,
          ticker,
          clock,
          log,
        }).start();
      case 'result':
        if ('ended' in found) {
          call.status = found.ended.status;
          return sendStoredResult(response, found.ended, blobs);
        }
        call.status = 400;
        return sendJson(response, 400, operation.requestId, { detail: 'Request is still in progress' });
      case 'cancel': {
        const answer = 'ended' in found ? 'ALREADY_COMPLETED' : await queue.cancel(found.live);
        call.status = answer === 'ALREADY_COMPLETED' ? 400 : 202;
        return sendJson(response, call.status, operation.requestId, { status: answer });
      }
    }
  };

  return createCallHandler({ role: 'queue', clock, log, onCall: deps.onCall, serve });
}

function maySee(principal: Principal | null, request: LiveRequest | EndedRequest): boolean {
  if (request.callerAccountId === null) return true;
  if (principal === null) return false;
  if (principal.accountId === request.callerAccountId) {
    return hasPermission(principal, 'serverless:apps:run') || hasPermission(principal, 'models:requests:submit');
  }
  return principal.accountId === request.accountId && hasPermission(principal, 'serverless:apps:run');
}
