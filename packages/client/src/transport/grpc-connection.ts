import { createClient, type CallOptions as RpcOptions, type Client, type Transport } from '@connectrpc/connect';
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import { IsolateController } from '@lanner/protocol/controller';
import { ConfigurationError } from '../errors/client-error.ts';
import { wasNeverSent } from '../errors/connection-failure.ts';
import { grpcMetadata } from '../resolve/credentials.ts';
import { readFlag } from '../resolve/environment.ts';
import type { Settings } from '../resolve/settings.ts';
import type { CallOptions } from './call-options.ts';
import { fromRpcError, isUnavailable } from './rpc-error.ts';
import { retryCall } from './retry.ts';
import { readTrust } from './trust.ts';

/** The controller of a platform, typed. */
export type Controller = Client<typeof IsolateController>;

/** The reference sets 2 GiB − 1 both ways. */
const largestMessageBytes = 2 ** 31 - 1;
/** An unused connection is closed after this long; it does not keep a program alive meanwhile. */
const idleConnectionMs = 60_000;
const pingEveryMs = 30_000;

/** The one HTTP/2 connection of a client: made at the first call, shared by all, made anew when it broke. */
export class GrpcConnection {
  readonly #settings: Settings;
  readonly #teamUserId: () => Promise<string | undefined>;
  #open: { controller: Controller; sessions: Http2SessionManager } | undefined;
  #closed = false;

  constructor(settings: Settings, teamUserId: () => Promise<string | undefined>) {
    this.#settings = settings;
    this.#teamUserId = teamUserId;
  }

  /** How errors name the server. */
  get target(): string {
    return this.#settings.hosts().grpc;
  }

  /** Calls that change nothing: repeated while the server is unavailable (5 tries, 0.1 s doubling, as the reference). */
  async read<T>(
    options: CallOptions | undefined,
    run: (controller: Controller, rpc: RpcOptions) => Promise<T>,
  ): Promise<T> {
    return this.#call(options, isUnavailable, run);
  }

  /** Calls that change something: repeated only when the connection could not even be made. */
  async change<T>(
    options: CallOptions | undefined,
    run: (controller: Controller, rpc: RpcOptions) => Promise<T>,
  ): Promise<T> {
    return this.#call(options, wasNeverSent, run);
  }

  /** A stream of answers; never repeated. Leaving the loop ends the call at the server. */
  async *stream<T>(
    options: CallOptions | undefined,
    run: (controller: Controller, rpc: RpcOptions) => AsyncIterable<T>,
  ): AsyncGenerator<T, void, undefined> {
    const headers = await this.#signing();
    try {
      yield* run(this.#connect().controller, this.#rpcOptions(options, headers));
    } catch (error) {
      throw fromRpcError(error, this.target, options?.signal);
    }
  }

  close(): void {
    this.#closed = true;
    this.#open?.sessions.abort();
    this.#open = undefined;
  }

  async #call<T>(
    options: CallOptions | undefined,
    shouldRetry: (error: unknown) => boolean,
    run: (controller: Controller, rpc: RpcOptions) => Promise<T>,
  ): Promise<T> {
    const headers = await this.#signing();
    const policy = { attempts: 5, firstDelayMs: 100, longestDelayMs: 5000, jitter: 0.2, shouldRetry };
    return retryCall(policy, options ?? {}, async (left) => {
      try {
        return await run(this.#connect().controller, this.#rpcOptions(left, headers));
      } catch (error) {
        throw fromRpcError(error, this.target, options?.signal);
      }
    });
  }

  async #signing(): Promise<Record<string, string>> {
    const credentials = await this.#settings.signing();
    return grpcMetadata(credentials, await this.#teamUserId());
  }

  #rpcOptions(options: CallOptions | undefined, headers: Record<string, string>): RpcOptions {
    return {
      headers,
      ...(options?.signal ? { signal: options.signal } : {}),
      ...(options?.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
    };
  }

  #connect(): { controller: Controller } {
    if (this.#closed)
      throw new ConfigurationError('client_closed', 'This client was closed.', {
        advice: 'Make a new ServerlessClient.',
      });
    if (this.#open) return this.#open;
    const { environment } = this.#settings;
    const plain = readFlag(environment, 'ISOLATE_TEST_MODE');
    const trust = readTrust(environment, 'grpc');
    const baseUrl = `${plain ? 'http' : 'https'}://${this.target}`;
    const sessions = new Http2SessionManager(
      baseUrl,
      { idleConnectionTimeoutMs: idleConnectionMs, pingIntervalMs: pingEveryMs },
      plain
        ? {}
        : { ...(trust.ca === undefined ? {} : { ca: trust.ca }), rejectUnauthorized: trust.rejectUnauthorized },
    );
    const transport: Transport = createGrpcTransport({
      baseUrl,
      sessionManager: sessions,
      readMaxBytes: largestMessageBytes,
      writeMaxBytes: largestMessageBytes,
    });
    this.#open = { controller: createClient(IsolateController, transport), sessions };
    return this.#open;
  }
}
