import { z } from 'zod';
import { toLogPage } from './log-page.ts';
import { toValidationError } from './rest-errors.ts';
import type { RestDeps } from './rest-deps.ts';
import type { RestContext, RestRoute } from './rest-route.ts';
import { parseTimestamp, toTimestamp } from './timestamps.ts';
import type { LogLine } from '../../scheduler/fleet.ts';

const largestPage = 5000;

const time = z.string().transform((text, refinement) => {
  const atMs = parseTimestamp(text);
  if (atMs !== null) return atMs;
  refinement.addIssue({ code: 'custom', message: `${JSON.stringify(text.slice(0, 60))} is no ISO 8601 time` });
  return z.NEVER;
});

const historyQuery = z.object({
  job_id: z.string().min(1).max(200),
  search: z.string().max(1000).optional(),
  since: time.optional(),
  until: time.optional(),
  page_size: z.coerce.number().int().min(1).max(largestPage).default(1000),
});

/** Output of runners: pages of history. All parameters travel in the query. */
export function createLogRoutes(deps: Pick<RestDeps, 'runnerLogs'>): RestRoute[] {
  return [
    {
      method: 'POST',
      path: '/logs/history',
      async handle(context) {
        const query = readHistoryQuery(context);
        const page = toLogPage(
          await deps.runnerLogs.read(context.var.principal.accountId, query.job_id, {
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
      // Clients look at nothing but this content type, whatever the status.
      handle: (context) =>
        context.body(
          'event: error\ndata: Following logs is not supported yet; leave out --follow to read what there is.\n\n',
          200,
          { 'content-type': 'text/event-stream', 'cache-control': 'no-store' },
        ),
    },
  ];
}

function readHistoryQuery(context: RestContext): z.infer<typeof historyQuery> {
  const parsed = historyQuery.safeParse(context.req.query());
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
