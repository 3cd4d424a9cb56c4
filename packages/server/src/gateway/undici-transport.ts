import { Pool, type Dispatcher } from 'undici';
import type { Clock, Timer } from '@lanner/protocol';
import { toFailureKind } from './to-failure-kind.ts';
import type {
  RunnerAddress,
  UpstreamExchange,
  UpstreamHeaders,
  UpstreamReceiver,
  UpstreamTransport,
} from './upstream-transport.ts';

/** Shorter than the five seconds after which uvicorn and Node close an idle connection themselves. */
const keepAliveMs = 4_000;

interface RunnerPool {
  runnerId: string;
  pool: Pool;
  host: string;
  port: number;
  usedAtMs: number;
}

export interface UndiciTransportOptions {
  clock: Clock;
  maxResponseHeaderBytes: number;
  connectTimeoutMs: number;
  idleRunnerMs: number;
}

/** A transport over one undici `Pool` per runner: connections are reused, one request at a time on each. */
export function createUndiciTransport(options: UndiciTransportOptions): UpstreamTransport {
  const { clock, maxResponseHeaderBytes, connectTimeoutMs, idleRunnerMs } = options;
  const pools = new Map<string, RunnerPool>();
  /** Pools that get no new requests and still have some to finish. */
  const retired = new Set<Pool>();
  let sweepTimer: Timer | null = null;

  const sweep = (): void => {
    sweepTimer = null;
    const idleSinceMs = clock.monotonicMs() - idleRunnerMs;
    for (const [runnerId, entry] of pools) {
      if (entry.usedAtMs > idleSinceMs || entry.pool.stats.running > 0 || entry.pool.stats.pending > 0) continue;
      pools.delete(runnerId);
      retire(entry);
    }
    if (pools.size > 0) sweepTimer = clock.setTimer(idleRunnerMs, sweep);
  };

  const retire = ({ pool }: RunnerPool): void => {
    retired.add(pool);
    void pool.close().finally(() => retired.delete(pool));
  };

  /** The next request to the runner opens a connection; those under way are not disturbed. */
  const renewPool = (entry: RunnerPool): void => {
    if (pools.get(entry.runnerId) !== entry) return;
    pools.delete(entry.runnerId);
    retire(entry);
  };

  const poolOf = (runner: RunnerAddress): RunnerPool => {
    const known = pools.get(runner.runnerId);
    if (known && known.host === runner.host && known.port === runner.port) return known;
    if (known) retire(known);
    const host = runner.host.includes(':') ? `[${runner.host}]` : runner.host;
    const entry: RunnerPool = {
      runnerId: runner.runnerId,
      pool: new Pool(`http://${host}:${runner.port}`, {
        allowH2: false,
        pipelining: 1,
        headersTimeout: 0,
        bodyTimeout: 0,
        maxHeaderSize: maxResponseHeaderBytes,
        connectTimeout: connectTimeoutMs,
        keepAliveTimeout: keepAliveMs,
      }),
      host: runner.host,
      port: runner.port,
      usedAtMs: 0,
    };
    pools.set(runner.runnerId, entry);
    sweepTimer ??= clock.setTimer(idleRunnerMs, sweep);
    return entry;
  };

  return {
    send(runner, request, receiver) {
      const entry = poolOf(runner);
      entry.usedAtMs = clock.monotonicMs();
      const exchange = new UndiciExchange(receiver, entry, renewPool);
      entry.pool.dispatch(
        { method: request.method, path: request.path, headers: request.headers, body: request.body },
        exchange,
      );
      exchange.sent();
      return exchange;
    },
    forget(runnerId) {
      const entry = pools.get(runnerId);
      if (!entry) return;
      pools.delete(runnerId);
      retire(entry);
    },
    async close() {
      sweepTimer?.cancel();
      sweepTimer = null;
      const all = [...Array.from(pools.values(), ({ pool }) => pool), ...retired];
      pools.clear();
      await Promise.all(all.map((pool) => pool.destroy()));
    },
  };
}

const aborted = new Error('aborted by the gateway');

/** One request in flight; a class, so that a request costs one object and no closures. */
class UndiciExchange implements UpstreamExchange, Dispatcher.DispatchHandler {
  readonly #receiver: UpstreamReceiver;
  readonly #entry: RunnerPool;
  readonly #renewPool: (entry: RunnerPool) => void;
  #controller: Dispatcher.DispatchController | null = null;
  #over = false;
  #sending = true;

  constructor(receiver: UpstreamReceiver, entry: RunnerPool, renewPool: (entry: RunnerPool) => void) {
    this.#receiver = receiver;
    this.#entry = entry;
    this.#renewPool = renewPool;
  }

  /** From now on failures may be told at once. */
  sent(): void {
    this.#sending = false;
  }

  pause(): void {
    this.#controller?.pause();
  }

  resume(): void {
    if (!this.#over) this.#controller?.resume();
  }

  abort(): void {
    if (this.#over) return;
    this.#over = true;
    this.#controller?.abort(aborted);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // Aborted while the connection was being made.
    if (this.#over) controller.abort(aborted);
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: UpstreamHeaders, reason?: string): void {
    if (status < 200 || this.#over) return;
    // After an endpoint raised, uvicorn answers 500, says nothing about the connection, and closes it: the close would
    // cross with the next request on it, which nobody could tell from a crash of the app.
    if (status >= 500) this.#renewPool(this.#entry);
    this.#receiver.onHead(status, reason ?? '', headers);
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#over) this.#receiver.onData(chunk);
  }

  onResponseEnd(_: Dispatcher.DispatchController, trailers: UpstreamHeaders): void {
    if (this.#over) return;
    this.#over = true;
    this.#receiver.onEnd(trailers);
  }

  onResponseError(_: Dispatcher.DispatchController, cause: Error): void {
    if (this.#over) return;
    this.#over = true;
    const failure = { kind: toFailureKind(cause), cause };
    if (this.#sending) process.nextTick(() => this.#receiver.onFailure(failure));
    else this.#receiver.onFailure(failure);
  }
}
