import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';
import {
  isLannerError,
  LannerError,
  supervisorProtocolVersion,
  systemClock,
  type AckRequest,
  type AttemptMessage,
  type AttemptOrder,
  type AttemptSnapshot,
  type BuildRequest,
  type RunnerExit,
  type RunnerResult,
  type RunnerSnapshot,
  type StartRunnerRequest,
  type StopRequest,
  type SupervisorEvent,
  type SupervisorStatus,
} from '@lanner/protocol';

/** An event without what the log adds. */
type NewEvent = SupervisorEvent extends infer Event
  ? Event extends unknown
    ? Omit<Event, 'seq' | 'atMs'>
    : never
  : never;

/** Every body there is; a route reads the fields it knows are there. */
type Body = AckRequest & StopRequest & BuildRequest & StartRunnerRequest;

interface FakeRunner {
  snapshot: RunnerSnapshot;
  app: Server | null;
  ignoresTerm: boolean;
}

export interface FakeSupervisor {
  readonly socketPath: string;
  readonly bootId: string;
  /** Requests as they came: `METHOD /path`. */
  readonly calls: string[];
  readonly ackedSeq: number;
  /** Cuts the open event streams, as a broken connection would. */
  cutStreams(): void;
  /** Is gone without a word, its runners with it. */
  crash(): Promise<void>;
  close(): Promise<void>;
}

/**
 * For tests: the supervisor API over a Unix socket, with runners that are small HTTP servers or nothing at all. What a
 * runner does is the name of its entrypoint: `serve`, `stubborn` (ignores SIGTERM), `crash`, `exit-early`, `print`,
 * `return`, `raise`, `slow`.
 */
export async function startFakeSupervisor(options: {
  socketPath: string;
  protocolVersion?: number;
  onShutdown?: () => void;
}): Promise<FakeSupervisor> {
  const bootId = randomUUID();
  const runners = new Map<string, FakeRunner>();
  const results = new Map<string, Buffer>();
  const attempts = new Map<string, AttemptSnapshot & { body?: Buffer }>();
  const streams = new Set<ServerResponse>();
  const calls: string[] = [];
  let events: SupervisorEvent[] = [];
  let seq = 0;
  let ackedSeq = 0;

  const emit = (event: NewEvent): void => {
    seq += 1;
    const stored = { seq, atMs: systemClock.nowMs(), ...event } as SupervisorEvent;
    events.push(stored);
    for (const stream of streams) stream.write(`${JSON.stringify(stored)}\n`);
  };

  const exit = (runner: FakeRunner, end: Partial<RunnerExit> & Pick<RunnerExit, 'reason'>): void => {
    if (runner.snapshot.phase === 'exited') return;
    runner.snapshot.phase = 'exited';
    runner.app?.closeAllConnections();
    runner.app?.close();
    runner.snapshot.exit = { code: null, signal: null, message: `It ended: ${end.reason}.`, ...end };
    emit({ type: 'runner.exited', runnerId: runner.snapshot.runnerId, exit: runner.snapshot.exit });
  };

  const enter = (runner: FakeRunner, phase: 'starting' | 'setup' | 'ready' | 'stopping'): void => {
    if (runner.snapshot.phase === 'exited') return;
    runner.snapshot.phase = phase;
    emit({ type: 'runner.phase', runnerId: runner.snapshot.runnerId, phase });
  };

  const finish = (runner: FakeRunner, result: Partial<RunnerResult>, bytes: string): void => {
    const { runnerId } = runner.snapshot;
    results.set(runnerId, Buffer.from(bytes));
    const whole = { method: 'cloudpickle', sizeBytes: bytes.length, wasRaised: false, ...result };
    runner.snapshot.result = whole;
    emit({ type: 'runner.result', runnerId, result: whole });
    exit(runner, { reason: 'finished', code: 0 });
  };

  const run = async (runner: FakeRunner, request: StartRunnerRequest): Promise<void> => {
    const { runnerId } = request;
    const behaviour = request.callable.kind === 'entrypoint' ? request.callable.entrypoint : 'serve';
    enter(runner, 'starting');
    enter(runner, 'setup');
    switch (behaviour) {
      case 'crash':
        emit({
          type: 'runner.log',
          runnerId,
          source: 'user',
          stream: 'stderr',
          level: 'error',
          line: 'about to crash',
        });
        return exit(runner, { reason: 'crashed', code: 3, message: 'It ended with status 3 before it was ready.' });
      case 'print':
        for (const line of ['one', 'two', 'three']) {
          emit({ type: 'runner.log', runnerId, source: 'user', stream: 'stdout', level: 'stdout', line });
        }
        return finish(runner, {}, 'None');
      case 'return':
        return finish(runner, {}, '42');
      case 'raise':
        return finish(
          runner,
          { wasRaised: true, exceptionTypeName: 'ValueError', stringizedTraceback: 'ValueError: no' },
          'ValueError',
        );
      case 'slow':
        return;
    }
    runner.ignoresTerm = behaviour === 'stubborn';
    runner.app = createServer((_request, response) => void response.end('hello'));
    runner.app.listen(request.exposedPort ?? 8080, runner.snapshot.address);
    await once(runner.app, 'listening');
    if (runner.snapshot.phase === 'exited') return void runner.app.close();
    runner.snapshot.readyAtMs = systemClock.nowMs();
    enter(runner, 'ready');
  };

  const start = (request: StartRunnerRequest): RunnerSnapshot => {
    if (runners.has(request.runnerId)) throw new LannerError('already_exists', `Runner ${request.runnerId} exists.`);
    const bytes = randomUUID()
      .match(/../g)!
      .map((pair) => Number.parseInt(pair, 16));
    const runner: FakeRunner = {
      app: null,
      ignoresTerm: false,
      snapshot: {
        runnerId: request.runnerId,
        accountId: request.accountId,
        revisionId: request.revisionId,
        appName: request.appName,
        purpose: request.purpose,
        phase: 'starting',
        address: `127.${1 + (bytes[0]! % 250)}.${bytes[1]}.${1 + (bytes[2]! % 250)}`,
        ...(request.exposedPort === undefined ? {} : { exposedPort: request.exposedPort }),
        ...(request.machineType === undefined ? {} : { machineType: request.machineType }),
        startedAtMs: systemClock.nowMs(),
      },
    };
    runners.set(request.runnerId, runner);
    void run(runner, request);
    return runner.snapshot;
  };

  const find = (runnerId: string): FakeRunner => {
    const runner = runners.get(runnerId);
    if (runner) return runner;
    throw new LannerError('runner_not_found', `Runner ${runnerId} was not found.`);
  };

  const stop = (runner: FakeRunner, graceMs: number): void => {
    if (runner.snapshot.phase === 'stopping' || runner.snapshot.phase === 'exited') return;
    enter(runner, 'stopping');
    if (!runner.ignoresTerm) return exit(runner, { reason: 'stopped', signal: 'SIGTERM' });
    systemClock.setTimer(graceMs, () => exit(runner, { reason: 'killed', signal: 'SIGKILL' }));
  };

  const status = (): SupervisorStatus => ({
    protocolVersion: options.protocolVersion ?? supervisorProtocolVersion,
    version: '0.0.0',
    pid: process.pid,
    bootId,
    startedAtMs: systemClock.nowMs(),
    isolation: { level: 'process-group', reason: 'nothing runs' },
    runners: [...runners.values()].map((runner) => runner.snapshot),
    lastSeq: seq,
  });

  const shutdown = (): void => {
    for (const runner of runners.values()) exit(runner, { reason: 'stopped' });
    options.onShutdown?.();
  };

  type Handle = (id: string, body: Body, response: ServerResponse) => unknown;
  const routes: [method: string, path: RegExp, handle: Handle][] = [
    ['GET', /^\/v1\/status$/, () => status()],
    [
      'POST',
      /^\/v1\/events\/ack$/,
      (_id, body) => {
        if (body.bootId !== bootId) throw new LannerError('conflict', 'These events are of another boot.');
        ackedSeq = Math.max(ackedSeq, body.seq);
        for (const event of events) {
          if (event.seq <= ackedSeq && event.type === 'runner.exited') runners.delete(event.runnerId);
        }
        events = events.filter((event) => event.seq > ackedSeq);
      },
    ],
    [
      'POST',
      /^\/v1\/runners$/,
      (_id, body) => {
        const { runnerId, address } = start(body);
        return { runnerId, address };
      },
    ],
    ['POST', /^\/v1\/runners\/([^/]+)\/stop$/, (id, body) => stop(find(id), body.graceMs)],
    ['POST', /^\/v1\/runners\/([^/]+)\/kill$/, (id) => exit(find(id), { reason: 'killed', signal: 'SIGKILL' })],
    [
      'GET',
      /^\/v1\/runners\/([^/]+)\/result$/,
      (id) => {
        const bytes = results.get(id);
        if (!bytes) throw new LannerError('not_found', 'There is no such result.');
        return bytes;
      },
    ],
    ['DELETE', /^\/v1\/runners\/([^/]+)\/result$/, (id) => void results.delete(id)],
    [
      'POST',
      /^\/v1\/builds$/,
      (_id, body, response) => {
        const isBad = JSON.stringify(body.environment.configuration).includes('no-such-package');
        const last = isBad
          ? { type: 'failed', code: 'build_failed', message: 'No solution found: no-such-package was not found.' }
          : { type: 'done', environmentId: 'e'.repeat(64), cached: !body.force };
        response.write(
          `${JSON.stringify({ type: 'log', atMs: systemClock.nowMs(), level: 'info', line: 'resolving' })}\n`,
        );
        response.end(`${JSON.stringify(last)}\n`);
        return response;
      },
    ],
    ['GET', /^\/v1\/attempts$/, () => [...attempts.values()].map((attempt) => ({ ...attempt, body: undefined }))],
    [
      'GET',
      /^\/v1\/attempts\/([^/]+)\/result$/,
      (id) => {
        const body = attempts.get(id)?.body;
        if (!body) throw new LannerError('not_found', 'There is no such answer.');
        return body;
      },
    ],
    ['DELETE', /^\/v1\/attempts\/([^/]+)$/, (id) => void attempts.delete(id)],
    ['POST', /^\/v1\/shutdown$/, () => void setImmediate(shutdown)],
  ];

  const attempt = async (runnerId: string, order: AttemptOrder, sent: Buffer): Promise<void> => {
    const { snapshot } = find(runnerId);
    if (snapshot.phase === 'exited') throw new LannerError('runner_not_found', `Runner ${runnerId} has exited.`);
    const { attemptId, requestNumber, attemptNumber, method, path } = order;
    if (attempts.has(attemptId)) return;
    const startedAtMs = systemClock.nowMs();
    const ids = { attemptId, runnerId, requestNumber, attemptNumber };
    const kept: AttemptSnapshot & { body?: Buffer } = { ...ids, startedAtMs };
    attempts.set(attemptId, kept);
    const response = await fetch(`http://${snapshot.address}:${order.port}${path}`, {
      method,
      ...(order.bodyBytes > 0 ? { body: new Uint8Array(sent) } : {}),
    });
    kept.body = Buffer.from(await response.arrayBuffer());
    const headers = Object.fromEntries(response.headers);
    const sizeBytes = kept.body.length;
    kept.outcome = { kind: 'answered', status: response.status, headers, sizeBytes, startedAtMs, durationMs: 1 };
    emit({ type: 'attempt.finished', runnerId, attemptId, outcome: kept.outcome });
  };

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://supervisor');
    calls.push(`${request.method} ${url.pathname}`);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const attempted = /^\/v1\/runners\/([^/]+)\/attempts$/.exec(url.pathname);
    if (attempted) {
      const sent = Buffer.concat(chunks);
      const newlineAt = sent.indexOf(10);
      const order = JSON.parse(sent.subarray(0, newlineAt).toString()) as AttemptOrder;
      await attempt(attempted[1]!, order, sent.subarray(newlineAt + 1));
      return void response.writeHead(204).end();
    }
    const body = (chunks.length === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString('utf8'))) as Body;
    if (url.pathname === '/v1/events') {
      const after = Number(url.searchParams.get('after'));
      response.writeHead(200, { 'content-type': 'application/x-ndjson' });
      response.write(`${JSON.stringify({ seq, atMs: systemClock.nowMs(), type: 'heartbeat' })}\n`);
      for (const event of events) if (event.seq > after) response.write(`${JSON.stringify(event)}\n`);
      streams.add(response);
      response.once('close', () => streams.delete(response));
      return;
    }
    for (const [method, path, handle] of routes) {
      const match = request.method === method ? path.exec(url.pathname) : null;
      if (!match) continue;
      const result = handle(match[1] ?? '', body, response);
      if (result === response) return;
      if (result === undefined) return void response.writeHead(204).end();
      return void response.end(Buffer.isBuffer(result) ? result : JSON.stringify(result));
    }
    throw new LannerError('not_found', 'There is no such route.');
  };

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      const known = isLannerError(error) ? error : new LannerError('internal_error', String(error));
      response.writeHead(known.entry.httpStatus).end(JSON.stringify({ code: known.code, message: known.message }));
    });
  });
  const channels = new Set<Duplex>();
  server.on('upgrade', async (_request, socket: Duplex, head: Buffer) => {
    channels.add(socket);
    socket.on('close', () => channels.delete(socket)).on('error', () => {});
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: lanner-attempts\r\n\r\n');
    socket.unshift(head);
    for await (const line of createInterface({ input: socket })) {
      const message = JSON.parse(line) as AttemptMessage;
      calls.push(`channel ${message.type}`);
      if (message.type === 'forget') {
        attempts.delete(message.attemptId);
        continue;
      }
      const { attemptId } = message.order;
      const failed = await attempt(message.runnerId, message.order, Buffer.from(message.body, 'base64')).catch(
        (error: LannerError) => ({ code: error.code, message: error.message }),
      );
      socket.write(`${JSON.stringify({ attemptId, ...failed })}\n`);
    }
  });
  const crash = async (): Promise<void> => {
    if (!server.listening) return;
    server.closeAllConnections();
    for (const socket of channels) socket.destroy();
    server.close();
    await once(server, 'close');
  };
  server.listen(options.socketPath);
  await once(server, 'listening');
  return {
    socketPath: options.socketPath,
    bootId,
    calls,
    get ackedSeq() {
      return ackedSeq;
    },
    cutStreams() {
      for (const stream of streams) stream.destroy();
    },
    crash,
    async close() {
      for (const runner of runners.values()) exit(runner, { reason: 'stopped' });
      await crash();
    },
  };
}
