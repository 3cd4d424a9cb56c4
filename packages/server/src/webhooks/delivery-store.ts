import type { Delivery, DeliveryAttempt, NextStep } from './delivery.ts';

/**
 * Webhooks at rest: the outbox. Deliveries enter it inside the transaction that ends their request (add-delivery.ts). Each verb
 * is one guarded transaction and resolves once it is durable.
 */
export interface DeliveryStore {
  /** Everybody something is pending for. */
  listReceivers(): Promise<string[]>;
  /** Pending deliveries to one receiver that are due, the longest due first. */
  listDue(receiver: string, nowMs: number, limit: number): Promise<Delivery[]>;
  /** When the earliest pending delivery to a receiver that comes after `afterMs` is due; null: there is none. */
  nextDueAt(receiver: string, afterMs: number): Promise<number | null>;
  /** Notes an attempt at a pending delivery, and what follows. False: it was not pending, and nothing was noted. */
  recordAttempt(number: number, attempt: Omit<DeliveryAttempt, 'attempt'>, next: NextStep): Promise<boolean>;
  /** An ended delivery becomes pending again, due now, with a new budget. Null: there is none, or it is pending already. */
  replay(accountId: string, requestId: string, nowMs: number): Promise<Delivery | null>;
  find(accountId: string, requestId: string): Promise<Delivery | null>;
  /** Newest first. @param beforeNumber exclusive; null: from the newest on. */
  list(
    accountId: string,
    page: { state: Delivery['state'] | null; beforeNumber: number | null; limit: number },
  ): Promise<Delivery[]>;
  /** Oldest first; the latest 100. */
  listAttempts(number: number): Promise<DeliveryAttempt[]>;
  /** Removes at most `limit` deliveries that ended before. Resolves with how many. */
  sweep(endedBeforeMs: number, limit: number): Promise<number>;
  /** How many are pending, counted up to 100,000, and since when the oldest. */
  backlog(): Promise<{ pending: number; oldestAtMs: number | null }>;
}
