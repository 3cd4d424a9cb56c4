import type { LiveRequest } from '../../queue/live-request.ts';
import type { EndedRequest } from '../../queue/request-store.ts';
import { publicStatus } from '../../queue/request-state.ts';
import type { Origin } from '../../ports/route.ts';
import type { LogLine } from '../../scheduler/fleet.ts';

/** One line of an app's output as clients of the queue read it (data-plane 3.3). */
export interface StatusLog {
  message: string;
  timestamp: string;
  level: string;
  source: 'USER';
}

export interface StatusBody {
  status: 'IN_QUEUE' | 'IN_PROGRESS' | 'COMPLETED';
  request_id: string;
  response_url: string;
  status_url: string;
  cancel_url: string;
  queue_position?: number;
  logs?: StatusLog[] | null;
  metrics?: { inference_time?: number | null };
  error?: string;
  error_type?: string;
}

/** The addresses of a request, the way its caller came: short form, no sub-path, no trailing slash. */
export function toUrls(
  origin: Origin,
  appId: string,
  requestId: string,
): Pick<StatusBody, 'response_url' | 'status_url' | 'cancel_url'> {
  const base = `${origin.scheme}://${origin.hosts.queueHost}/${appId}/requests/${requestId}`;
  return { response_url: base, status_url: `${base}/status`, cancel_url: `${base}/cancel` };
}

/** Status of a request that has not ended. @param position of a waiting one. @param logs null: not asked for. */
export function toLiveStatus(
  request: LiveRequest,
  origin: Origin,
  position: number,
  logs: StatusLog[] | null,
): StatusBody {
  const base = {
    status: publicStatus[request.state],
    request_id: request.requestId,
    ...toUrls(origin, request.appId, request.requestId),
  };
  if (request.state === 'waiting') return { ...base, queue_position: position };
  return { ...base, logs, metrics: {} };
}

/** Status of a request that has ended, however. */
export function toEndedStatus(request: EndedRequest, origin: Origin, logs: StatusLog[] | null): StatusBody {
  return {
    status: 'COMPLETED',
    request_id: request.requestId,
    ...toUrls(origin, request.appId, request.requestId),
    logs,
    metrics: { inference_time: request.inferenceMs === null ? null : request.inferenceMs / 1000 },
    ...(request.error === null ? {} : { error: request.error }),
    ...(request.errorType === null ? {} : { error_type: request.errorType }),
  };
}

const levels: Record<string, string> = {
  stdout: 'STDOUT',
  stderr: 'STDERR',
  error: 'ERROR',
  warning: 'WARN',
  info: 'INFO',
};

export function toStatusLog(line: LogLine): StatusLog {
  return {
    message: line.line,
    timestamp: new Date(line.atMs).toISOString().replace('Z', '+00:00'),
    level: levels[line.level] ?? 'DEBUG',
    source: 'USER',
  };
}
