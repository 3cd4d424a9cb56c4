import { request } from 'node:http';
import type { Clock } from '@lanner/protocol';

export interface HealthTarget {
  address: string;
  port: number;
  path: string;
  /** Absent: GET, and POST where GET is not allowed. */
  method?: 'GET' | 'POST';
  timeoutMs: number;
  clock: Clock;
}

/** `healthy`, or what was seen instead, as a sentence. */
export type HealthAnswer = { isHealthy: true } | { isHealthy: false; problem: string };

/**
 * Asks an app for its health once. Healthy is any status below 300; redirects are not followed.
 * @param signal aborts the request; the answer is then unhealthy.
 */
export async function probeHealth(target: HealthTarget, signal: AbortSignal): Promise<HealthAnswer> {
  const first = await ask(target, target.method ?? 'GET', signal);
  const answer = first === 405 && target.method === undefined ? await ask(target, 'POST', signal) : first;
  if (typeof answer === 'string') return { isHealthy: false, problem: `${target.path}: ${answer}` };
  if (answer >= 200 && answer < 300) return { isHealthy: true };
  return { isHealthy: false, problem: `${target.path} answered ${answer}` };
}

/** @returns the status, or why there was none. */
function ask(target: HealthTarget, method: 'GET' | 'POST', signal: AbortSignal): Promise<number | string> {
  const timeout = new AbortController();
  const timer = target.clock.setTimer(target.timeoutMs, () => timeout.abort());
  const answer = new Promise<number | string>((resolve) => {
    const body = method === 'POST' ? '{}' : undefined;
    const call = request({
      host: target.address,
      port: target.port,
      path: target.path,
      method,
      agent: false,
      signal: AbortSignal.any([signal, timeout.signal]),
      maxHeaderSize: 16 * 1024,
      headers: {
        host: `${target.address}:${target.port}`,
        connection: 'close',
        ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': body.length }),
      },
    });
    call.once('response', (response) => {
      resolve(response.statusCode ?? 0);
      response.destroy();
    });
    call.once('upgrade', (response, socket) => {
      socket.destroy();
      resolve(response.statusCode ?? 0);
    });
    call.once('error', (error: NodeJS.ErrnoException) => {
      if (error.name === 'AbortError') resolve(`no answer within ${target.timeoutMs} ms`);
      else resolve(error.code === undefined ? 'no HTTP answer' : `no HTTP answer (${error.code})`);
    });
    call.end(body);
  });
  return answer.finally(timer.cancel);
}
