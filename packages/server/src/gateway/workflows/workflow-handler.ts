import { LannerError, type Clock } from '@lanner/protocol';
import type { Authenticator } from '../../auth/principal.ts';
import type { Blobs } from '../../blobs/blobs.ts';
import { toAsciiJson } from '../../lib/ascii-json.ts';
import type { AccessRecord } from '../../observe/access-log.ts';
import type { Logger } from '../../observe/logger.ts';
import type { AnyRequest, Route } from '../../ports/route.ts';
import type { EndedRequest, RequestStore } from '../../queue/request-store.ts';
import type { Targets } from '../../scheduler/dispatcher.ts';
import type { WorkflowEvent } from '../../workflows/workflow-events.ts';
import { admitCall } from '../admit-call.ts';
import { createCallHandler, type HttpCall } from '../call-handler.ts';
import type { AnyResponse } from '../caller.ts';
import { writeHead } from '../answer.ts';
import type { RequestQueue } from '../queue/request-queue.ts';
import { sendStoredResult } from '../queue/send-stored-result.ts';
import { StreamTicker } from '../queue/status-streams.ts';
import { readSubmit } from '../queue/submit.ts';
import { resolveApp } from '../resolve-app.ts';
import type { WorkflowExecutor } from './workflow-executor.ts';

export interface WorkflowHandlerDeps {
  queue: RequestQueue;
  store: Pick<RequestStore, 'findEnded'>;
  blobs: Blobs;
  /** Workflows included. */
  targets: Targets;
  executor: Pick<WorkflowExecutor, 'follow' | 'forget'>;
  authenticator: Authenticator;
  clock: Clock;
  log: Logger;
  /** Told of every call that is over. */
  onCall?: (record: AccessRecord) => void;
}

const maxBodyBytes = 16 * 1024 ** 2;

/** Whether a path of the run role names a workflow. */
export function isWorkflowPath(path: string): boolean {
  return path.startsWith('/workflows/');
}

/**
 * Workflows in the run role: `POST workflows/{owner}/{name}` waits for the result, and with `/stream` behind it tells what
 * happens (data-plane 7.3). Both go through the queue; the caller who leaves takes the request back. Never throws.
 */
export function createWorkflowHandler(
  deps: WorkflowHandlerDeps,
): (request: AnyRequest, response: AnyResponse, route: Route) => void {
  const { queue, store, blobs, clock, executor } = deps;
  const log = deps.log.child({ component: 'workflows' });
  const ticker = new StreamTicker(clock);

  const serve = async (call: HttpCall): Promise<void> => {
    const { request, response, route, requestId } = call;
    const resolved = resolveApp(deps.targets, route.path);
    const { target } = resolved;
    call.app = target === null ? undefined : `${target.ownerNickname}/${target.name}`;
    const admitted = await admitCall(resolved, request.headers, deps.authenticator);
    call.accountId = admitted.principal?.accountId ?? null;
    if (request.method !== 'POST') {
      throw new LannerError('method_not_allowed', `A workflow is called with POST, not with ${request.method}.`);
    }
    const isStream = /^\/stream\/?$/.test(admitted.path);
    if (!isStream && admitted.path !== '/') {
      throw new LannerError('not_found', `A workflow has no path ${admitted.path.slice(0, 100)}. Call it, or /stream.`);
    }
    const { request: submission } = await readSubmit({
      ...{ request, route, requestId, clock, blobs, maxBodyBytes },
      admitted: { ...admitted, path: '/' },
      allowPrivateWebhooks: false,
    });
    // Before it is submitted: it may be over before anybody looks.
    const stream = isStream ? beginStream(call) : null;
    try {
      response.on('close', () => void takeBack(requestId));
      await queue.submit(submission, null);
      const ended = await endOf(requestId);
      if (ended === null) throw new LannerError('shutting_down', 'The server is stopping. Try again in a moment.');
      call.status = stream === null ? ended.status : 200;
      if (stream === null) await sendStoredResult(response, ended, blobs);
      else stream.finish(ended);
    } finally {
      stream?.stop();
    }
  };

  /** null: the queue stops before. */
  const endOf = async (requestId: string): Promise<EndedRequest | null> => {
    while (queue.find(requestId) !== null && !queue.isStopping) {
      await new Promise<void>((resolve) => {
        const stop = queue.observe(requestId, () => {
          stop();
          resolve();
        });
      });
    }
    return store.findEnded(requestId);
  };

  const takeBack = async (requestId: string): Promise<void> => {
    const live = queue.find(requestId);
    if (live !== null && !queue.isStopping) await queue.cancel(live).catch(() => undefined);
  };

  const beginStream = ({ response, requestId }: HttpCall): EventStream => {
    writeHead(response, 200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-fal-request-id': requestId,
    });
    const write = (text: string): void => void (response as NodeJS.WritableStream).write(text);
    let hasTold = false;
    const tell = (event: WorkflowEvent): void => {
      hasTold ||= event.type === 'output' || event.type === 'error';
      write(`data: ${toAsciiJson(event)}\n\n`);
    };
    const stopTicking = ticker.add({ tick: (isPing) => (isPing ? write(': ping\n\n') : undefined) });
    const stopFollowing = executor.follow(requestId, tell);
    return {
      finish({ status, error }) {
        // An end without a node: cancelled, or an output that refers to nothing.
        const message = error ?? `The workflow ended with status ${status}.`;
        if (!hasTold) tell({ type: 'error', node_id: '', message, error: { status, body: { detail: message } } });
        response.end();
      },
      stop() {
        stopTicking();
        stopFollowing();
        executor.forget(requestId);
      },
    };
  };

  return createCallHandler({ role: 'run', clock, log, onCall: deps.onCall, serve });
}

interface EventStream {
  finish(ended: EndedRequest): void;
  stop(): void;
}
