import { toLannerError, type Clock, type LannerError } from '@lanner/protocol';
import { createAccessLog, type AccessRecord } from '../observe/access-log.ts';
import type { Logger } from '../observe/logger.ts';
import type { AnyRequest, Route } from '../ports/route.ts';
import { breakAnswer, discardBody, type AnyResponse } from './caller.ts';
import { isPreflight, toPreflightHeaders } from './cors.ts';
import { newRequestId } from './new-request-id.ts';
import { writeHead } from './answer.ts';
import { sendError } from './send-error.ts';

/** One call of a role that Lanner answers itself. What is learnt of it while it is served goes into its access record. */
export interface HttpCall {
  readonly request: AnyRequest;
  readonly response: AnyResponse;
  readonly route: Route;
  requestId: string;
  /** `owner/app`, for roles that have one. */
  app: string | undefined;
  accountId: string | null;
  /** Of the answer; set by whoever gives it. */
  status: number;
  sentBytes: number;
  /** Why it was refused: an error of ours, not the app's own answer. */
  failure: LannerError | null;
  /** Clients ask ten times a second; its line says nothing when all went well. */
  isPoll: boolean;
}

export interface CallHandlerOptions {
  /** For the access record. */
  role: string;
  clock: Clock;
  log: Logger;
  /** Told of every call that is over. */
  onCall?: ((record: AccessRecord) => void) | undefined;
  /** Answers the call. What it throws is answered for it. */
  serve(call: HttpCall): Promise<void>;
  /** Answers with an error, before an answer has begun. Default: the shape of the gateway's errors. */
  sendFailure?(call: HttpCall, failure: LannerError): void;
  /** How much of a body that nobody reads is read away. Default 1 MiB. */
  discardBytes?: number;
}

/**
 * What every role that Lanner answers itself has around it: preflights are answered, what goes wrong becomes an error answer (or
 * breaks off the answer that has begun), the rest of the body is read away, and one line goes to the access log. Never throws.
 */
export function createCallHandler(
  options: CallHandlerOptions,
): (request: AnyRequest, response: AnyResponse, route: Route) => void {
  const { role, clock, log, serve, discardBytes = 1024 ** 2 } = options;
  const sendFailure =
    options.sendFailure ?? ((call, failure) => void sendError(call.response, failure, call.requestId));
  const writeAccessLog = createAccessLog(log, options.onCall);

  const refuse = (call: HttpCall, error: unknown): void => {
    const failure = toLannerError(error);
    call.failure = failure;
    call.status = failure.entry.httpStatus;
    if (failure.code === 'internal_error')
      log.error({ err: error, requestId: call.requestId }, `a ${role} call failed`);
    if (call.response.headersSent) breakAnswer(call.response);
    else if (!call.response.destroyed) sendFailure(call, failure);
  };

  return (request, response, route) => {
    response.on('error', () => {});
    const requestId = newRequestId(clock.nowMs());
    if (isPreflight(request)) {
      writeHead(response, 204, { ...toPreflightHeaders(request), 'x-fal-request-id': requestId });
      response.end();
      return;
    }
    const call: HttpCall = {
      ...{ request, response, route, requestId },
      ...{ app: undefined, accountId: null, status: 0, sentBytes: 0, failure: null, isPoll: false },
    };
    const startedMs = clock.monotonicMs();
    serve(call)
      .catch((error: unknown) => refuse(call, error))
      .finally(() => {
        discardBody(request, response, discardBytes);
        writeAccessLog(
          {
            requestId: call.requestId,
            role,
            method: request.method ?? '',
            app: call.app,
            protocol: request.httpVersion,
            status: call.status,
            errorCode: call.failure?.code,
            callerAccountId: call.accountId ?? undefined,
            requestBytes: Number(request.headers['content-length'] ?? 0),
            responseBytes: call.sentBytes,
            totalMs: clock.monotonicMs() - startedMs,
          },
          call.failure?.entry.fault === 'platform',
          call.isPoll && call.status < 300,
        );
      });
  };
}
