import { request, type IncomingMessage } from 'node:http';
import type {
  BuildMessage,
  BuildRequest,
  StartRunnerRequest,
  StartRunnerResponse,
  SupervisorEvent,
  SupervisorStatus,
} from '@lanner/protocol';

/** A small client of the supervisor API for tests and benchmarks. */
export interface ApiClient {
  call(method: string, path: string, body?: unknown): Promise<{ status: number; text: string; bytes: Buffer }>;
  status(): Promise<SupervisorStatus>;
  startRunner(body: StartRunnerRequest): Promise<StartRunnerResponse>;
  build(body: BuildRequest): Promise<BuildMessage[]>;
  /**
   * Opens the event stream; events collect in the returned object until `close`.
   * @param options.acknowledge acknowledges what came, as a server does. Default false.
   */
  openEvents(after?: number, options?: { acknowledge: boolean }): Promise<EventStream>;
}

export interface EventStream {
  readonly events: SupervisorEvent[];
  /** Resolves with the first event, past or future, that matches; rejects when the stream ends before. */
  find(matches: (event: SupervisorEvent) => boolean, withinMs?: number): Promise<SupervisorEvent>;
  close(): void;
}

const findTimeoutMs = 60_000;

/** @param socketPath the supervisor's Unix socket. */
export function createApiClient(socketPath: string): ApiClient {
  const send = (method: string, path: string, body?: unknown): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
      const call = request({ socketPath, method, path, agent: false }, resolve);
      call.once('error', reject);
      call.end(text);
    });
  const collect = async (response: IncomingMessage): Promise<Buffer> => {
    const chunks: Buffer[] = [];
    for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
    return Buffer.concat(chunks);
  };
  const call: ApiClient['call'] = async (method, path, body) => {
    const response = await send(method, path, body);
    const bytes = await collect(response);
    return { status: response.statusCode ?? 0, text: bytes.toString(), bytes };
  };
  return {
    call,
    status: async () => JSON.parse((await call('GET', '/v1/status')).text) as SupervisorStatus,
    async startRunner(body) {
      const { status, text } = await call('POST', '/v1/runners', body);
      if (status !== 200) throw new Error(`start runner: ${status} ${text}`);
      return JSON.parse(text) as StartRunnerResponse;
    },
    async build(body) {
      const { text } = await call('POST', '/v1/builds', body);
      return text
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as BuildMessage);
    },
    async openEvents(after = 0, options = { acknowledge: false }) {
      const { bootId } = JSON.parse((await call('GET', '/v1/status')).text) as SupervisorStatus;
      const response = await send('GET', `/v1/events?after=${after}`);
      let isAcknowledging = false;
      return collectEvents(response, (seq) => {
        if (!options.acknowledge || isAcknowledging) return;
        isAcknowledging = true;
        call('POST', '/v1/events/ack', { bootId, seq })
          .catch(() => {})
          .finally(() => (isAcknowledging = false));
      });
    },
  };
}

function collectEvents(response: IncomingMessage, onBatch: (lastSeq: number) => void): EventStream {
  const events: SupervisorEvent[] = [];
  const checks = new Set<() => void>();
  let rest = '';
  let hasEnded = false;
  const check = (): void => {
    for (const each of [...checks]) each();
  };
  response.setEncoding('utf8');
  response.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop()!;
    for (const line of lines) events.push(JSON.parse(line) as SupervisorEvent);
    check();
    onBatch(events.at(-1)?.seq ?? 0);
  });
  response.on('error', () => {});
  response.on('close', () => {
    hasEnded = true;
    check();
  });
  return {
    events,
    close: () => response.destroy(),
    find(matches, withinMs = findTimeoutMs) {
      return new Promise((resolve, reject) => {
        const finish = (act: () => void): void => {
          checks.delete(look);
          clearTimeout(timer);
          act();
        };
        const look = (): void => {
          const found = events.find(matches);
          if (found !== undefined) finish(() => resolve(found));
          else if (hasEnded) finish(() => reject(new Error('The event stream ended.')));
        };
        const timer = setTimeout(() => {
          const seen = events
            .slice(-20)
            .map((event) => JSON.stringify(event))
            .join('\n');
          finish(() => reject(new Error(`No such event within ${withinMs} ms. Last events:\n${seen}`)));
        }, withinMs);
        checks.add(look);
        look();
      });
    },
  };
}
