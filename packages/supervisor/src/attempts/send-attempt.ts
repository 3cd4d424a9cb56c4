import { request, type IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { AttemptFailure, AttemptOrder, AttemptOutcome, Clock } from '@lanner/protocol';
import type { ResultSpool } from '../events/result-spool.ts';
import type { AppConnections } from './app-connections.ts';

/** What is sent: in memory when small, else read once from where it was spooled. */
export type AttemptBody = Buffer | (() => Readable);

export interface SendAttemptInput {
  host: string;
  order: AttemptOrder;
  body: AttemptBody;
  results: ResultSpool;
  connections: AppConnections;
  clock: Clock;
}

/** Answers up to this size travel inside the event; larger ones go to disk. */
const inlineBytes = 32 * 1024;
/** All response headers together (data-plane 2.3). */
const maxHeaderBytes = 16 * 1024;
const connectTimeoutMs = 5_000;

/**
 * Sends one request to an app.
 *
 * @returns `ended` never rejects for what the app or the network does; `cut` drops the connection.
 */
export function sendAttempt(input: SendAttemptInput): { ended: Promise<AttemptOutcome>; cut: () => void } {
  const { host, order, body, results, connections, clock } = input;
  const startedAtMs = clock.nowMs();
  const startedMs = clock.monotonicMs();
  let cutWith: AttemptFailure | null = null;
  let isConnected = false;
  let isUsedAgain = false;
  const fail = (failure: AttemptFailure): AttemptOutcome => ({
    kind: 'failed',
    failure: cutWith ?? failure,
    ...times(),
  });
  const times = (): { startedAtMs: number; durationMs: number } => ({
    startedAtMs,
    durationMs: Math.max(0, clock.monotonicMs() - startedMs),
  });

  let cut = (_failure: AttemptFailure): void => {};
  const ended = new Promise<AttemptOutcome>((resolve, reject) => {
    const length =
      order.bodyBytes > 0 || !bodiless.has(order.method) ? ['content-length', String(order.bodyBytes)] : [];
    let call: ReturnType<typeof request>;
    try {
      call = request({
        host,
        port: order.port,
        method: order.method,
        path: order.path,
        headers: [...hostOf(order, host), ...order.headers, ...length, 'connection', 'keep-alive'],
        createConnection: () => connections.take(host, order.port),
        maxHeaderSize: maxHeaderBytes,
      });
    } catch {
      return resolve(fail('bad-request'));
    }
    // Without an agent Node would close the connection whatever the headers say.
    call.shouldKeepAlive = true;
    cut = (failure) => {
      cutWith ??= failure;
      call.destroy(new Error(failure));
    };
    const deadline = clock.setTimer(order.timeoutMs, () => cut('timeout'));
    const connecting = clock.setTimer(connectTimeoutMs, () => cut('connect-timeout'));
    const settle = (outcome: AttemptOutcome): void => {
      deadline.cancel();
      connecting.cancel();
      resolve(outcome);
    };
    const onConnected = (): void => {
      isConnected = true;
      connecting.cancel();
    };
    call.on('socket', (socket) => {
      isUsedAgain = !socket.connecting;
      if (isUsedAgain) onConnected();
      else socket.once('connect', onConnected);
    });
    let hasAnswer = false;
    call.on('error', (error: NodeJS.ErrnoException) => {
      if (isUsedAgain && cutWith === null) connections.distrust(host, order.port);
      if (!hasAnswer) settle(fail(toFailure(error.code ?? '', isConnected)));
    });
    call.on('response', (response) => {
      hasAnswer = true;
      readAnswer(response, order.attemptId, results).then(
        (answer) =>
          settle(
            answer === null || cutWith !== null
              ? fail('bad-answer')
              : {
                  kind: 'answered',
                  status: response.statusCode ?? 0,
                  headers: toHeaders(response),
                  ...answer,
                  ...times(),
                },
          ),
        reject,
      );
    });
    if (Buffer.isBuffer(body)) call.end(body);
    else {
      const source = body();
      source.on('error', (error) => call.destroy(error));
      source.pipe(call);
    }
  });
  return { ended, cut: () => cut('disconnected') };
}

/** A caller may have sent none; HTTP/1.1 wants one. */
function hostOf({ headers, port }: AttemptOrder, host: string): string[] {
  const hasHost = headers.some((name, index) => index % 2 === 0 && name.toLowerCase() === 'host');
  return hasHost ? [] : ['host', `${host}:${port}`];
}

/** Methods for which a length of zero would be noise. */
const bodiless: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS']);

/** @returns null when the answer broke off. */
async function readAnswer(
  response: IncomingMessage,
  attemptId: string,
  results: ResultSpool,
): Promise<{ sizeBytes: number; body?: string } | null> {
  let chunks: Buffer[] = [];
  let sizeBytes = 0;
  let spool: ReturnType<ResultSpool['receive']> | undefined;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length;
      if (spool === undefined && sizeBytes <= inlineBytes) {
        chunks.push(chunk);
        continue;
      }
      if (spool === undefined) {
        spool = results.receive(attemptId);
        spool.saved.catch(() => {});
        for (const early of chunks) spool.sink.write(early);
        chunks = [];
      }
      if (!spool.sink.write(chunk)) await spool.sink.whenDrained();
    }
  } catch {
    spool?.sink.abort();
    return null;
  }
  if (spool === undefined) return { sizeBytes, body: Buffer.concat(chunks).toString('base64') };
  spool.sink.end();
  await spool.saved;
  return { sizeBytes };
}

function toHeaders(response: IncomingMessage): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>;
  for (const [name, values] of Object.entries(response.headersDistinct)) {
    if (values !== undefined) headers[name] = values.length === 1 ? values[0]! : values;
  }
  return headers;
}

function toFailure(code: string, isConnected: boolean): AttemptFailure {
  if (code === 'ECONNREFUSED') return 'refused';
  if (code === 'ETIMEDOUT' && !isConnected) return 'connect-timeout';
  if (code.startsWith('HPE_')) return 'bad-answer';
  if (code.startsWith('ERR_')) return 'bad-request';
  return isConnected ? 'disconnected' : 'connect-error';
}
