import { LannerError, type Clock, type Json } from '@lanner/protocol';
import type { Blobs } from '../../blobs/blobs.ts';
import type { LiveRequest } from '../../queue/live-request.ts';
import type { NewRequest, RequestStore, StoredBody, StoredInput } from '../../queue/request-store.ts';
import type { Target, Targets } from '../../scheduler/dispatcher.ts';
import type { StepCall, StepCalls } from '../../workflows/step-calls.ts';
import { toCallerUserId } from '../caller-identity.ts';
import { openBody, storeBody } from '../queue/bodies.ts';
import type { RequestQueue } from '../queue/request-queue.ts';
import { resolveApp } from '../resolve-app.ts';
import { readBytes } from './read-bytes.ts';

export interface StepCallsDeps {
  queue: Pick<RequestQueue, 'submit' | 'find' | 'observe' | 'cancel'>;
  store: Pick<RequestStore, 'findEnded'>;
  blobs: Blobs;
  targets: Targets;
  clock: Clock;
}

/** Workflows that call workflows, at most. */
const deepest = 8;
/** Of one answer that goes on to other nodes. */
const largestAnswerBytes = 16 * 1024 ** 2;

/** Of the caller's own headers, what concerns where it came from and how long results live. */
const passedOn = /^(?:host|x-forwarded-.*|x-fal-object-lifecycle-preference)$/i;

/** Node calls as requests of the queue, in the name of the one who called the workflow, with that caller's rights. */
export function createStepCalls(deps: StepCallsDeps, parent: LiveRequest, parentInput: StoredInput): StepCalls {
  const { queue, store, blobs, targets, clock } = deps;
  return {
    async submit(call) {
      const { target, path } = targetOf(targets, call, parent);
      const body = Buffer.from(JSON.stringify(call.input));
      const request = toRequest({ call, target, path, parent, parentInput, nowMs: clock.nowMs() });
      await queue.submit(
        {
          ...request,
          input: { ...request.input, body: await storeBody(blobs, body, body.length, `${call.requestId}/input`) },
        },
        null,
      );
    },
    async read(requestId) {
      if (queue.find(requestId) !== null) return 'live';
      const ended = await store.findEnded(requestId);
      if (ended === null) return null;
      return { status: ended.status, body: await readJson(blobs, ended.body) };
    },
    observe: (requestId, listener) => queue.observe(requestId, listener),
    async cancel(requestId) {
      const live = queue.find(requestId);
      if (live !== null) await queue.cancel(live);
    },
  };
}

function targetOf(targets: Targets, { app }: StepCall, parent: LiveRequest): { target: Target; path: string } {
  const { target, appPath } = resolveApp(targets, `/${app}`);
  if (target === null || (target.authMode === 'private' && target.accountId !== parent.callerAccountId)) {
    throw new LannerError(
      'app_not_found',
      `App '${appPath.owner}/${appPath.app}' was not found. It does not exist, or it is private to another account than the caller's.`,
    );
  }
  if (target.workflowVersion !== undefined && depthOf(parent) >= deepest) {
    throw new LannerError('invalid_argument', `Workflows call each other more than ${deepest} levels deep.`);
  }
  return { target, path: appPath.path };
}

const depthOf = (request: LiveRequest): number => request.options.workflow?.depth ?? 0;

function toRequest(input: {
  call: StepCall;
  target: Target;
  path: string;
  parent: LiveRequest;
  parentInput: StoredInput;
  nowMs: number;
}): NewRequest {
  const { call, target, path, parent, parentInput, nowMs } = input;
  const { callerAccountId, priority } = parent;
  const appId = `${target.ownerNickname}/${target.name}`;
  const headers: string[] = [];
  for (let index = 0; index < parentInput.headers.length; index += 2) {
    if (passedOn.test(parentInput.headers[index]!)) headers.push(...parentInput.headers.slice(index, index + 2));
  }
  headers.push('content-type', 'application/json', 'accept', 'application/json');
  headers.push('x-fal-request-id', call.requestId, 'x-fal-endpoint', `${appId}${path}`);
  const userId = toCallerUserId(target.accountId, callerAccountId === null ? null : { accountId: callerAccountId });
  if (userId !== null) headers.push('x-fal-caller-user-id', userId);
  return {
    requestId: call.requestId,
    accountId: target.accountId,
    appId,
    targetId: target.targetId,
    callerAccountId,
    priority,
    startDeadlineMs: null,
    options: {
      ...(parent.options.discardIo === true ? { discardIo: true } : {}),
      ...(target.workflowVersion === undefined
        ? {}
        : { workflow: { version: target.workflowVersion, depth: depthOf(parent) + 1 } }),
    },
    submittedAtMs: nowMs,
    input: { method: 'POST', path, headers, body: { bytes: null, blob: null, sizeBytes: 0 } },
  };
}

async function readJson(blobs: Blobs, body: StoredBody): Promise<Json | undefined> {
  if (body.sizeBytes > largestAnswerBytes) return undefined;
  try {
    return JSON.parse((await readBytes(await openBody(blobs, body))).toString()) as Json;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
