import { toLannerError, type Clock, type Timer } from '@lanner/protocol';
import { toAsciiJson } from '../../lib/ascii-json.ts';
import type { Logger } from '../../observe/logger.ts';
import type { AnyResponse } from '../caller.ts';
import { writeHead } from '../answer.ts';
import type { StatusBody, StatusLog } from './status-body.ts';
import type { StreamTicker, Ticked } from './status-streams.ts';

export interface StatusStreamOptions {
  response: AnyResponse;
  requestId: string;
  /** The status now, logs from that moment on (undefined: from the first line); null when the request is gone. */
  read: (logsSinceMs: number | undefined) => Promise<StatusBody | null>;
  /** Tells of changes. */
  observe: (listener: () => void) => () => void;
  /** The server stops. */
  isOver: () => boolean;
  ticker: StreamTicker;
  clock: Clock;
  log: Logger;
}

/** Lines printed in quick succession travel together. */
const gatherMs = 50;
/** Lines of two outputs arrive in the order of neither; one may come this much later than a younger one. */
const disorderMs = 2_000;

/**
 * One status stream (data-plane 3.4): the status at once and after every change, logs as increments, comments as signs of
 * life, closed behind COMPLETED. A slow reader is sent the latest status when it can take one.
 */
export class StatusStream implements Ticked {
  readonly #options: StatusStreamOptions;
  readonly #releases: (() => void)[] = [];
  #isReading = false;
  #isStale = false;
  #isOver = false;
  /** The caller has not taken yet what was written. */
  #isFull = false;
  /** What was sent and may come again with the next reading. */
  #sentLines: StatusLog[] = [];
  #logsSinceMs: number | undefined = undefined;
  #lastText = '';
  #lastStatus: StatusBody['status'] | null = null;
  #gathering: Timer | null = null;

  constructor(options: StatusStreamOptions) {
    this.#options = options;
  }

  start(): void {
    const { response, requestId, observe, ticker } = this.#options;
    writeHead(response, 200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-fal-request-id': requestId,
    });
    response.on('close', () => this.#end());
    (response as NodeJS.WritableStream).on('drain', () => this.#onDrain());
    this.#releases.push(
      observe(() => this.#onChange()),
      ticker.add(this),
    );
    void this.#send();
  }

  tick(isPing: boolean): void {
    // The place in line moves without an event of its own.
    if (this.#lastStatus === 'IN_QUEUE') void this.#send();
    if (isPing && !this.#isFull) this.#write(': ping\n\n');
  }

  #onChange(): void {
    if (this.#options.isOver()) return this.#close();
    this.#gathering ??= this.#options.clock.setTimer(this.#lastStatus === 'IN_PROGRESS' ? gatherMs : 0, () => {
      this.#gathering = null;
      void this.#send();
    });
  }

  #onDrain(): void {
    this.#isFull = false;
    if (this.#isStale) void this.#send();
  }

  async #send(): Promise<void> {
    if (this.#isReading || this.#isFull) {
      this.#isStale = true;
      return;
    }
    this.#isReading = true;
    try {
      do {
        this.#isStale = false;
        const body = await this.#options.read(this.#logsSinceMs);
        if (this.#isOver) return;
        if (body === null) return this.#close();
        const lines = body.logs ? withoutSent(body.logs, this.#sentLines) : [];
        const event = body.logs ? { ...body, logs: lines } : body;
        const text = toAsciiJson(event);
        if (text === this.#lastText) continue;
        const isSilent = this.#lastStatus === body.status && body.status === 'IN_PROGRESS' && lines.length === 0;
        this.#lastText = text;
        this.#lastStatus = body.status;
        if (body.logs && body.logs.length > 0) this.#remember(body.logs);
        if (!isSilent) this.#write(`data: ${text}\n\n`);
        if (body.status === 'COMPLETED') return this.#close();
      } while (this.#isStale && !this.#isFull);
    } catch (error) {
      this.#options.log.error({ err: toLannerError(error) }, 'a status stream failed');
      this.#close();
    } finally {
      this.#isReading = false;
    }
  }

  /** The next reading begins later, never earlier: all it has of what was sent is in this one. */
  #remember(lines: StatusLog[]): void {
    this.#sentLines = lines;
    for (const { timestamp } of lines) {
      this.#logsSinceMs = Math.max(this.#logsSinceMs ?? -Infinity, Date.parse(timestamp) - disorderMs);
    }
  }

  #write(text: string): void {
    if (!this.#isOver) this.#isFull = !(this.#options.response as NodeJS.WritableStream).write(text);
  }

  #close(): void {
    if (this.#isOver) return;
    this.#end();
    this.#options.response.end();
  }

  #end(): void {
    this.#isOver = true;
    this.#gathering?.cancel();
    for (const release of this.#releases.splice(0)) release();
  }
}

/** The lines of a reading that an earlier one did not have; of equal lines as many as came since. */
function withoutSent(lines: StatusLog[], sent: StatusLog[]): StatusLog[] {
  const keyOf = ({ timestamp, message }: StatusLog): string => `${timestamp} ${message}`;
  const counts = new Map<string, number>();
  for (const line of sent) counts.set(keyOf(line), (counts.get(keyOf(line)) ?? 0) + 1);
  return lines.filter((line) => {
    const left = counts.get(keyOf(line)) ?? 0;
    if (left > 0) counts.set(keyOf(line), left - 1);
    return left === 0;
  });
}
