import { LannerError, type Clock } from '@lanner/protocol';
import type { Blobs } from '../../blobs/blobs.ts';
import type { AnyRequest, Route } from '../../ports/route.ts';
import type { NewRequest, RequestOptions } from '../../queue/request-store.ts';
import { readRetryPolicy } from '../../queue/retry-policy.ts';
import { readWebhookUrl } from '../../webhooks/webhook-url.ts';
import type { AdmittedCall } from '../admit-call.ts';
import { CallerBody, readBodyKind, readSmallBody } from '../caller-body.ts';
import { toCallerUserId } from '../caller-identity.ts';
import { headerText } from '../header-text.ts';
import { toRunnerHeaders } from '../runner-request-headers.ts';
import { storeBody } from './bodies.ts';
import { toAppQuery } from './parse-queue-path.ts';

export interface SubmitInput {
  request: AnyRequest;
  route: Route;
  requestId: string;
  admitted: AdmittedCall;
  clock: Clock;
  blobs: Blobs;
  maxBodyBytes: number;
  /** Whether a webhook may go to an address inside the network. */
  allowPrivateWebhooks: boolean;
}

export interface Submission {
  request: NewRequest;
  maxQueueLength: number | null;
}

const bufferedBytes = 64 * 1024;

/** The answer is fetched by somebody else later: it must not depend on what this connection can take. */
const notKept: ReadonlySet<string> = new Set([
  'accept-encoding',
  'content-length',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'range',
]);

/**
 * Reads a submit (data-plane 3.2), its body included; large bodies are streamed to a blob.
 * @throws LannerError `bad_request`, `payload_too_large`, `client_disconnected`.
 */
export async function readSubmit(input: SubmitInput): Promise<Submission> {
  const { request, route, requestId, admitted, clock } = input;
  const { target, principal, path, query, startSeconds, hint } = admitted;
  const header = (name: string): string | undefined => headerText(request.headers, name);
  const parameters = new URLSearchParams(query);
  const webhook = parameters.get('fal_webhook');
  const submittedAtMs = clock.nowMs();
  const isOwner = principal?.accountId === target.accountId;
  // A config for retries is honoured for the app's owner only.
  const retry = readRetryPolicy(header('x-fal-no-retry'), isOwner ? header('x-fal-retry-config') : undefined);
  const options: RequestOptions = {
    ...(hint === undefined ? {} : { hint }),
    ...(retry === undefined ? {} : { retry }),
    ...(/^(0|false|no)$/i.test(header('x-fal-store-io') ?? '') ? { discardIo: true } : {}),
    ...(target.workflowVersion === undefined ? {} : { workflow: { version: target.workflowVersion, depth: 0 } }),
    ...(webhook ? { webhook: readWebhookUrl(webhook, input.allowPrivateWebhooks) } : {}),
  };
  const priority = readPriority(header('x-fal-queue-priority') ?? parameters.get('priority') ?? undefined);
  const maxQueueLength = readMaxQueueLength(parameters.get('fal_max_queue_length'));
  const appId = `${target.ownerNickname}/${target.name}`;
  const headers = withoutTransfer(
    toRunnerHeaders(request, {
      requestId,
      endpoint: `${appId}${path}`,
      callerUserId: toCallerUserId(target.accountId, principal),
      origin: route.origin,
    }),
  );
  const body = await readBody(input);
  return {
    maxQueueLength,
    request: {
      requestId,
      accountId: target.accountId,
      appId,
      targetId: target.targetId,
      callerAccountId: principal?.accountId ?? null,
      priority,
      startDeadlineMs: startSeconds === null ? null : submittedAtMs + Math.ceil(startSeconds * 1000),
      options,
      submittedAtMs,
      input: { method: request.method ?? 'POST', path: `${path}${toAppQuery(query)}`, headers, body },
    },
  };
}

async function readBody({
  request,
  requestId,
  blobs,
  maxBodyBytes,
}: SubmitInput): Promise<NewRequest['input']['body']> {
  const kind = readBodyKind(request);
  if (kind.kind === 'none') return { bytes: null, blob: null, sizeBytes: 0 };
  if (kind.kind === 'sized') {
    if (kind.sizeBytes > maxBodyBytes) throw tooLarge(maxBodyBytes);
    if (kind.sizeBytes <= bufferedBytes) {
      const bytes = await readSmallBody(request);
      return { bytes, blob: null, sizeBytes: bytes.length };
    }
  }
  const body: CallerBody = new CallerBody(request, {
    maxBytes: maxBodyBytes,
    onTooLarge: () => body.destroy(tooLarge(maxBodyBytes)),
    onStreamed: () => {},
  });
  return storeBody(blobs, body, null, `${requestId}/input`);
}

function withoutTransfer(headers: string[]): string[] {
  const kept: string[] = [];
  for (let index = 0; index < headers.length; index += 2) {
    if (!notKept.has(headers[index]!.toLowerCase())) kept.push(headers[index]!, headers[index + 1]!);
  }
  return kept;
}

function readPriority(value: string | undefined): 'normal' | 'low' {
  if (value === undefined || value === '' || value === 'normal') return 'normal';
  if (value === 'low') return 'low';
  throw new LannerError('bad_request', `The priority '${value.slice(0, 40)}' is not known. Send normal or low.`);
}

function readMaxQueueLength(value: string | null): number | null {
  if (value === null) return null;
  if (/^\d{1,9}$/.test(value)) return Number(value);
  throw new LannerError('bad_request', `fal_max_queue_length is '${value.slice(0, 40)}'. Send a number of requests.`);
}

function tooLarge(maxBytes: number): LannerError {
  return new LannerError('payload_too_large', `The request body is larger than ${maxBytes} bytes.`);
}
