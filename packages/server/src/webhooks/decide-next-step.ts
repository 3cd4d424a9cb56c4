import type { Delivery, NextStep } from './delivery.ts';

/** How an attempt went. `reason` is a short code without anything of the URL in it. */
export type SendOutcome =
  | { kind: 'answered'; status: number }
  /** The target is not allowed. */
  | { kind: 'refused'; reason: string }
  /** No answer: connection, TLS, time. */
  | { kind: 'failed'; reason: string };

export interface WebhookRetryRules {
  /** From creation or replay; no attempt begins after it. */
  horizonMs: number;
  /** Attempts beside the first one. */
  mostRetries: number;
  firstDelayMs: number;
  largestDelayMs: number;
}

/** Platform-semantics 6, the newer policy: up to 31 retries. Two seconds doubled up to an hour reach a day with 31. */
export const defaultRetryRules: WebhookRetryRules = {
  horizonMs: 24 * 60 * 60 * 1000,
  mostRetries: 31,
  firstDelayMs: 2_000,
  largestDelayMs: 60 * 60 * 1000,
};

/**
 * What follows an attempt: 2xx is accepted, a redirect or a forbidden target is final, everything else is repeated until the budget
 * or the horizon is used up.
 * @param random 0 to 1: spreads the retries by ±20 %.
 */
export function decideNextStep(input: {
  outcome: SendOutcome;
  delivery: Pick<Delivery, 'attempts' | 'attemptsBefore' | 'begunAtMs'>;
  nowMs: number;
  rules: WebhookRetryRules;
  random: number;
}): NextStep {
  const { outcome, delivery, nowMs, rules, random } = input;
  if (outcome.kind === 'refused') return { state: 'failed' };
  if (outcome.kind === 'answered') {
    if (outcome.status >= 200 && outcome.status < 300) return { state: 'delivered' };
    if (outcome.status >= 300 && outcome.status < 400) return { state: 'failed' };
  }
  const retries = delivery.attempts - delivery.attemptsBefore;
  if (retries >= rules.mostRetries) return { state: 'failed' };
  const delayMs = Math.min(rules.firstDelayMs * 2 ** retries, rules.largestDelayMs) * (0.8 + 0.4 * random);
  const nextAttemptAtMs = Math.round(nowMs + delayMs);
  if (nextAttemptAtMs > delivery.begunAtMs + rules.horizonMs) return { state: 'failed' };
  return { state: 'pending', nextAttemptAtMs };
}
