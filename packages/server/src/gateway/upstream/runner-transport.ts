import type { Clock, Timer } from '@lanner/protocol';
import { BadRequest, toRequestHead, type RequestHead } from './request-head.ts';
import { RunnerConnection } from './runner-connection.ts';
import type {
  RunnerAddress,
  UpstreamExchange,
  UpstreamFailure,
  UpstreamHeaders,
  UpstreamReceiver,
  UpstreamRequest,
  UpstreamTransport,
} from './upstream-transport.ts';

export interface RunnerTransportOptions {
  clock: Clock;
  /** Status line and headers of an answer together. */
  maxResponseHeaderBytes: number;
  connectTimeoutMs: number;
  /** A connection that carried nothing for this long is closed. */
  idleConnectionMs: number;
}

/** The connections to one runner. */
interface Connections {
  host: string;
  port: number;
  free: RunnerConnection[];
  busy: Set<RunnerConnection>;
}

/**
 * The platform's own HTTP/1.1 client for runners: connections are kept per runner, the one used last first, one request at a
 * time on each, as many as there are requests (the slots of a runner bound them). ADR 29 tells why it is our own.
 */
export function createRunnerTransport(options: RunnerTransportOptions): UpstreamTransport {
  const { clock, idleConnectionMs } = options;
  const runners = new Map<string, Connections>();
  /** Of runners that are forgotten or have moved: they finish what they carry. */
  const retired = new Set<RunnerConnection>();
  let sweepTimer: Timer | null = null;

  const retire = ({ free, busy }: Connections): void => {
    for (const connection of free.splice(0)) connection.close();
    for (const connection of busy) {
      retired.add(connection);
      connection.retire();
    }
  };

  const connectionsTo = ({ runnerId, host, port }: RunnerAddress): Connections => {
    const known = runners.get(runnerId);
    if (known && known.host === host && known.port === port) return known;
    if (known) retire(known);
    const connections: Connections = { host, port, free: [], busy: new Set() };
    runners.set(runnerId, connections);
    sweepTimer ??= clock.setTimer(idleConnectionMs, sweep);
    return connections;
  };

  const sweep = (): void => {
    sweepTimer = null;
    const nowMs = clock.monotonicMs();
    for (const [runnerId, { free, busy }] of runners) {
      for (const connection of free.filter(({ staleAtMs }) => staleAtMs <= nowMs)) connection.close();
      if (free.length === 0 && busy.size === 0) runners.delete(runnerId);
    }
    if (runners.size > 0) sweepTimer = clock.setTimer(idleConnectionMs, sweep);
  };

  const takeFree = ({ free }: Connections): RunnerConnection | null => {
    for (;;) {
      const connection = free.pop();
      if (connection === undefined) return null;
      if (connection.staleAtMs > clock.monotonicMs()) return connection;
      connection.close();
    }
  };

  const open = (runner: RunnerAddress, connections: Connections): RunnerConnection => {
    const { free, busy } = connections;
    return new RunnerConnection(runner, {
      ...options,
      onFree(connection) {
        busy.delete(connection);
        free.push(connection);
      },
      onClosed(connection) {
        retired.delete(connection);
        if (busy.delete(connection)) return;
        const at = free.indexOf(connection);
        if (at !== -1) free.splice(at, 1);
      },
    });
  };

  return {
    send(runner, request, receiver) {
      let head: RequestHead;
      try {
        head = toRequestHead(runner, request);
      } catch (cause) {
        if (!(cause instanceof BadRequest)) throw cause;
        return refuse(receiver, { kind: 'bad-request', cause });
      }
      const connections = connectionsTo(runner);
      const connection = takeFree(connections) ?? open(runner, connections);
      connections.busy.add(connection);
      return new RunnerExchange(connection, request, head, receiver);
    },
    forget(runnerId) {
      const connections = runners.get(runnerId);
      if (!connections) return;
      runners.delete(runnerId);
      retire(connections);
    },
    async close() {
      sweepTimer?.cancel();
      sweepTimer = null;
      const all = [...retired, ...Array.from(runners.values(), ({ free, busy }) => [...free, ...busy]).flat()];
      runners.clear();
      const cause = new Error('the server is stopping');
      for (const connection of all) connection.abandon(cause);
    },
  };
}

/** One request in flight: what its caller holds, while the connection below goes on to others. */
class RunnerExchange implements UpstreamExchange, UpstreamReceiver {
  readonly #receiver: UpstreamReceiver;
  /** Null once the exchange is over. */
  #connection: RunnerConnection | null;

  constructor(connection: RunnerConnection, request: UpstreamRequest, head: RequestHead, receiver: UpstreamReceiver) {
    this.#receiver = receiver;
    this.#connection = connection;
    connection.send(request, head, this);
  }

  pause(): void {
    this.#connection?.pause();
  }

  resume(): void {
    this.#connection?.resume();
  }

  abort(): void {
    const connection = this.#connection;
    this.#connection = null;
    connection?.close();
  }

  onHead(status: number, reason: string, headers: UpstreamHeaders): void {
    this.#receiver.onHead(status, reason, headers);
  }

  onData(chunk: Buffer): void {
    this.#receiver.onData(chunk);
  }

  onEnd(trailers: UpstreamHeaders): void {
    this.#connection = null;
    this.#receiver.onEnd(trailers);
  }

  onFailure(failure: UpstreamFailure): void {
    this.#connection = null;
    this.#receiver.onFailure(failure);
  }
}

/** Nothing is sent; the failure is told once the caller has its exchange. */
function refuse(receiver: UpstreamReceiver, failure: UpstreamFailure): UpstreamExchange {
  let isAborted = false;
  process.nextTick(() => {
    if (!isAborted) receiver.onFailure(failure);
  });
  return {
    pause() {},
    resume() {},
    abort() {
      isAborted = true;
    },
  };
}
