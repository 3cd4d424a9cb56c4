import { ServerError } from '../errors/client-error.ts';

/**
 * One line a request's app wrote.
 *
 * @example
 * ```ts
 * const status = await client.status('me/my-app', 'request-id', { logs: true });
 * const logs: RequestLog[] = status.status === 'IN_QUEUE' ? [] : (status.logs ?? []);
 * for (const { timestamp, message } of logs) console.log(timestamp, message);
 * ```
 */
export interface RequestLog {
  message: string;
  level: string;
  timestamp: Date;
}

/**
 * Where a queued request stands.
 *
 * @example
 * ```ts
 * const status: RequestStatus = await client.status('me/my-app', 'request-id');
 * if (status.status === 'COMPLETED') console.log(status.metrics.inferenceTime, status.error);
 * ```
 */
export type RequestStatus =
  | { status: 'IN_QUEUE'; requestId: string; queuePosition: number }
  | { status: 'IN_PROGRESS'; requestId: string; logs: RequestLog[] | null }
  | {
      status: 'COMPLETED';
      requestId: string;
      logs: RequestLog[] | null;
      metrics: { inferenceTime: number | null };
      /** What went wrong, when something did; the result call throws it. */
      error: string | null;
      errorType: string | null;
    };

/** A status as the queue sends it. */
export function toRequestStatus(value: unknown, requestId: string): RequestStatus {
  const record = (value ?? {}) as Record<string, unknown>;
  const logs = Array.isArray(record['logs']) ? record['logs'].map(toRequestLog) : null;
  switch (record['status']) {
    case 'IN_QUEUE':
      return { status: 'IN_QUEUE', requestId, queuePosition: Number(record['queue_position'] ?? 0) };
    case 'IN_PROGRESS':
      return { status: 'IN_PROGRESS', requestId, logs };
    case 'COMPLETED': {
      const time = (record['metrics'] as { inference_time?: unknown } | null | undefined)?.inference_time;
      return {
        status: 'COMPLETED',
        requestId,
        logs,
        metrics: { inferenceTime: typeof time === 'number' ? time : null },
        error: typeof record['error'] === 'string' ? record['error'] : null,
        errorType: typeof record['error_type'] === 'string' ? record['error_type'] : null,
      };
    }
    default:
      throw new ServerError(
        'unexpected_answer',
        `The queue gave the request an unknown status: ${JSON.stringify(record['status'])}.`,
        {
          requestId,
        },
      );
  }
}

function toRequestLog(value: unknown): RequestLog {
  const record = value as Record<string, unknown>;
  return {
    message: String(record['message'] ?? ''),
    level: String(record['level'] ?? 'INFO'),
    timestamp: new Date(String(record['timestamp'] ?? 0)),
  };
}
