import { streamSSE } from 'hono/streaming';
import { z } from 'zod';
import type { LogLine, RunnerView } from '../../scheduler/fleet.ts';
import { followLog } from './follow-log.ts';
import { toLogPage } from './log-page.ts';
import { readLog } from './read-log.ts';
import { toRestAnswer, toValidationError } from './rest-errors.ts';
import type { RestDeps } from './rest-deps.ts';
import type { RestContext, RestRoute } from './rest-route.ts';
import { parseTimestamp, toTimestamp } from './timestamps.ts';

const largestPage = 5000;

const time = z.string().transform((text, refinement) => {
  const atMs = parseTimestamp(text);
  if (atMs !== null) return atMs;
  refinement.addIssue({ code: 'custom', message: `${JSON.stringify(text.slice(0, 60))} is no ISO 8601 time` });
  return z.NEVER;
});

const logQuery = z.object({
  job_id: z.string().min(1).max(200),
  search: z.string().max(1000).optional(),
  since: time.optional(),
  until: time.optional(),
  page_size: z.coerce.number().int().min(1).max(largestPage).default(1000),
});

/** A follower that names no time begins this long ago. */
const followLookBackMs = 60_000;

/** Output of runners, as pages of history and as a live stream. All parameters travel in the query. */
export function createLogRoutes(deps: Pick<RestDeps, 'runnerLogs' | 'fleet' | 'clock' | 'log'>): RestRoute[] {
  return [
    {
      method: 'POST',
      path: '/logs/history',
      async handle(context) {
        const query = readLogQuery(context);
        const page = toLogPage(
          await readLog(deps, context.var.principal.accountId, query.job_id, {
            ...(query.since === undefined ? {} : { sinceMs: query.since }),
            ...(query.until === undefined ? {} : { untilMs: query.until }),
            limit: query.page_size,
          }),
          query.page_size,
        );
        return context.json({
          items: page.lines.filter((line) => matches(line, query.search)).map(toLogEntry),
          next_until: page.nextUntilMs === null ? null : toTimestamp(page.nextUntilMs),
        });
      },
    },
    {
      method: 'POST',
      path: '/logs/stream',
      handle: (context) =>
        // Clients look at nothing but the content type, whatever the status: every problem is an event.
        streamSSE(context, async (stream) => {
          const left = new AbortController();
          stream.onAbort(() => left.abort());
          try {
            const query = readLogQuery(context);
            const { accountId } = context.var.principal;
            const batches = followLog({
              read: (range) => readLog(deps, accountId, query.job_id, range),
              clock: deps.clock,
              sinceMs: query.since ?? deps.clock.nowMs() - followLookBackMs,
              untilMs: query.until ?? Infinity,
              hasEnded: async () => hasEnded(await deps.fleet.findRunner(accountId, query.job_id)),
              signal: left.signal,
            });
            for await (const lines of batches) {
              // A comment keeps the connection alive where nothing is printed.
              if (lines.length === 0) await stream.write(': \n\n');
              for (const line of lines) {
                if (matches(line, query.search)) await stream.writeSSE({ data: JSON.stringify(toLogEntry(line)) });
              }
            }
          } catch (error) {
            if (left.signal.aborted) return;
            const { detail } = toRestAnswer(error, deps.log).body;
            const text = typeof detail === 'string' ? detail : JSON.stringify(detail);
            await stream.writeSSE({ event: 'error', data: text });
          }
        }),
    },
  ];
}

function readLogQuery(context: RestContext): z.infer<typeof logQuery> {
  const parsed = logQuery.safeParse(context.req.query());
  if (!parsed.success) throw toValidationError('query', parsed.error);
  return parsed.data;
}

function matches(line: LogLine, search: string | undefined): boolean {
  return search === undefined || line.line.toLowerCase().includes(search.toLowerCase());
}

function toLogEntry(line: LogLine): Record<string, unknown> {
  return {
    timestamp: toTimestamp(line.atMs),
    level: line.level,
    message: line.line,
    source: line.source,
    labels: line.labels ?? {},
  };
}

/** A runner that is not known any more has ended long ago. */
function hasEnded(runner: RunnerView | null): boolean {
  return runner === null || runner.endedAtMs !== null;
}
