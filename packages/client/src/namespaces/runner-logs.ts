import { ServerError } from '../errors/client-error.ts';
import type { Settings } from '../resolve/settings.ts';
import type { CallOptions } from '../transport/call-options.ts';
import { answerError, type HttpClient } from '../transport/http-client.ts';
import { Listing } from '../transport/listing.ts';
import { parseEvent, readServerSentEvents } from '../transport/server-sent-events.ts';

/**
 * One line of a log.
 *
 * @example
 * ```ts
 * const entries: LogEntry[] = await client.runners.logs('runner-id');
 * console.log(entries.filter(({ level }) => level === 'error').length);
 * ```
 */
export interface LogEntry {
  timestamp: Date;
  /** `trace`, `debug`, `info`, `warning`, `error`, `stdout`, `stderr`. */
  level: string;
  message: string;
  labels: Record<string, string>;
  /** Everything the platform tells about the line, as sent. */
  fields: Record<string, unknown>;
}

/**
 * Which lines to read.
 *
 * @example
 * ```ts
 * const options: LogsOptions = { search: 'Traceback', last: 100 };
 * ```
 */
export interface LogsOptions extends CallOptions {
  /** Only lines with this text. */
  search?: string | undefined;
  /** Default: the start of the runner. */
  since?: Date | undefined;
  /** Default: the end of the runner, or now. */
  until?: Date | undefined;
  /** Only so many of the newest lines. */
  last?: number | undefined;
  /** Only so many of the oldest lines. */
  first?: number | undefined;
}

/**
 * Which lines to follow.
 *
 * @example
 * ```ts
 * const options: FollowLogsOptions = { since: new Date(), signal: AbortSignal.timeout(60_000) };
 * ```
 */
export interface FollowLogsOptions extends CallOptions {
  search?: string | undefined;
  /** Default: a minute ago. */
  since?: Date | undefined;
  /** Default: as long as the runner lives. */
  until?: Date | undefined;
}

const pageSize = 1000;

/** Log lines of runners over REST (`/logs/history`, `/logs/stream`). */
export class RunnerLogs {
  readonly #settings: Settings;
  readonly #http: HttpClient;

  /** @internal */
  constructor(settings: Settings, http: HttpClient) {
    this.#settings = settings;
    this.#http = http;
  }

  read(runnerId: string, options: LogsOptions): Listing<LogEntry> {
    return new Listing(async () => {
      const { restUrl } = this.#settings.hosts();
      const life = (await this.#http.json(`${restUrl}/runners/${encodeURIComponent(runnerId)}`, options)) as Record<
        string,
        unknown
      >;
      const started = dateOf(life['started_at']);
      const ended = dateOf(life['ended_at']);
      const since = later(options.since, started);
      let until: string | null = earlier(options.until, ended)?.toISOString() ?? null;
      const newestFirst: LogEntry[] = [];
      for (;;) {
        const query = new URLSearchParams({ job_id: runnerId, page_size: String(pageSize) });
        if (options.search !== undefined) query.set('search', options.search);
        if (since) query.set('since', since.toISOString());
        if (until !== null) query.set('until', until);
        const page = (await this.#http.json(`${restUrl}/logs/history?${query.toString()}`, {
          ...callPart(options),
          method: 'POST',
        })) as {
          items?: unknown[];
          next_until?: string | null;
        };
        newestFirst.push(...(page.items ?? []).map(toLogEntry));
        const enough = options.last !== undefined && newestFirst.length >= options.last;
        const next = page.next_until ?? null;
        const atStart = next !== null && since !== undefined && Date.parse(next) <= since.getTime();
        if (enough || next === null || atStart || next === until) break;
        until = next;
      }
      const oldestFirst = newestFirst.slice(0, options.last ?? newestFirst.length).reverse();
      return oldestFirst.slice(0, options.first ?? oldestFirst.length);
    });
  }

  async *follow(runnerId: string, options: FollowLogsOptions): AsyncGenerator<LogEntry, void, undefined> {
    const since = options.since ?? new Date(Date.now() - 60_000);
    const query = new URLSearchParams({ job_id: runnerId, since: since.toISOString() });
    if (options.until) query.set('until', options.until.toISOString());
    if (options.search !== undefined) query.set('search', options.search);
    const response = await this.#http.send(`${this.#settings.hosts().restUrl}/logs/stream?${query.toString()}`, {
      ...callPart(options),
      method: 'POST',
      headers: { accept: 'text/event-stream', 'cache-control': 'no-store' },
    });
    if (!response.ok) throw answerError(response, await response.text());
    for await (const event of readServerSentEvents(response, options.signal)) {
      if (event.event === 'error') throw new ServerError('server_error', `The log ended: ${event.data}`);
      if (event.data !== '') yield toLogEntry(parseEvent(event));
    }
  }
}

const callPart = (options: CallOptions): CallOptions => ({ signal: options.signal, timeoutMs: options.timeoutMs });

function toLogEntry(value: unknown): LogEntry {
  const record = value as Record<string, unknown>;
  return {
    timestamp: dateOf(record['timestamp']) ?? new Date(0),
    level: String(record['level'] ?? 'info'),
    message: String(record['message'] ?? ''),
    labels: (record['labels'] as Record<string, string> | undefined) ?? {},
    fields: record,
  };
}

/** A timestamp as servers send it; without zone it is UTC. */
function dateOf(value: unknown): Date | undefined {
  if (typeof value !== 'string' || value === '') return undefined;
  const zoned = /(Z|[+-]\d\d:?\d\d)$/.test(value) ? value : `${value}Z`;
  const date = new Date(zoned);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

const later = (a: Date | undefined, b: Date | undefined): Date | undefined => (a && b ? (a > b ? a : b) : (a ?? b));
const earlier = (a: Date | undefined, b: Date | undefined): Date | undefined => (a && b ? (a < b ? a : b) : (a ?? b));
