import {
  LannerError,
  type AttemptOrder,
  type AttemptOutcome,
  type AttemptSnapshot,
  type Clock,
} from '@lanner/protocol';
import type { EventLog } from '../events/event-log.ts';
import type { ResultSpool } from '../events/result-spool.ts';
import type { Log } from '../lib/log.ts';
import { AppConnections } from './app-connections.ts';
import { sendAttempt, type AttemptBody } from './send-attempt.ts';

/** The attempts of this supervisor: each sends one request to an app and keeps the answer until it is forgotten. */
export interface Attempts {
  /** True for an id that was started before, also when it has ended. */
  has(attemptId: string): boolean;
  /** Sends the request; the end arrives as `attempt.finished`. Nothing happens for an id that is known. */
  start(runner: { runnerId: string; host: string }, order: AttemptOrder, body: AttemptBody): void;
  list(): AttemptSnapshot[];
  /** @throws LannerError `not_found` when there is none, or it has no answer. */
  readResult(attemptId: string): Promise<{ bytes: Buffer } | { path: string; sizeBytes: number }>;
  /** Forgets a finished attempt. Idempotent; a running one goes on. */
  forget(attemptId: string): Promise<void>;
  /** Cuts the connections of those that run; each ends as `disconnected`. */
  stop(): void;
}

export interface AttemptsOptions {
  events: EventLog;
  results: ResultSpool;
  clock: Clock;
  log: Log;
}

interface Attempt extends AttemptSnapshot {
  cut: () => void;
}

export function createAttempts({ events, results, clock, log }: AttemptsOptions): Attempts {
  const attempts = new Map<string, Attempt>();
  const connections = new AppConnections(clock);

  return {
    has: (attemptId) => attempts.has(attemptId),
    start({ runnerId, host }, order, body) {
      const { attemptId, requestNumber, attemptNumber } = order;
      if (attempts.has(attemptId)) return;
      const startedAtMs = clock.nowMs();
      const { ended, cut } = sendAttempt({ host, order, body, results, connections, clock });
      const attempt: Attempt = { attemptId, runnerId, requestNumber, attemptNumber, startedAtMs, cut };
      attempts.set(attemptId, attempt);
      const finish = (outcome: AttemptOutcome): void => {
        attempt.outcome = outcome;
        events.append({ type: 'attempt.finished', runnerId, attemptId, outcome });
      };
      ended.then(finish, (error: unknown) => {
        log.error({ attemptId, error }, 'an attempt failed unexpectedly');
        finish({ kind: 'failed', failure: 'connect-error', startedAtMs: clock.nowMs(), durationMs: 0 });
      });
    },
    list: () =>
      [...attempts.values()].map(({ attemptId, runnerId, requestNumber, attemptNumber, startedAtMs, outcome }) => ({
        ...{ attemptId, runnerId, requestNumber, attemptNumber, startedAtMs },
        ...(outcome === undefined ? {} : { outcome }),
      })),
    async readResult(attemptId) {
      const outcome = attempts.get(attemptId)?.outcome;
      if (outcome?.kind !== 'answered') {
        throw new LannerError('not_found', `Attempt ${attemptId} has no answer here.`);
      }
      return outcome.body === undefined ? results.find(attemptId) : { bytes: Buffer.from(outcome.body, 'base64') };
    },
    async forget(attemptId) {
      const outcome = attempts.get(attemptId)?.outcome;
      if (outcome === undefined) return;
      attempts.delete(attemptId);
      if (outcome.kind === 'answered' && outcome.body === undefined) await results.forget(attemptId);
    },
    stop() {
      for (const attempt of attempts.values()) if (attempt.outcome === undefined) attempt.cut();
      connections.close();
    },
  };
}
