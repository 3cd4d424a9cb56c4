import type { SqlConnection } from '../db/sqlite.ts';
import { receiverOf } from './webhook-url.ts';

export interface NewDelivery {
  requestId: string;
  accountId: string;
  appId: string;
  gatewayRequestId: string;
  url: string;
  createdAtMs: number;
}

/** Puts a webhook into the outbox, inside the transaction that ends its request: neither is there without the other. */
export function addDelivery(connection: SqlConnection, delivery: NewDelivery): void {
  const { createdAtMs } = delivery;
  connection.run(
    `INSERT INTO webhook_deliveries (request_id, account_id, app_id, gateway_request_id, url, receiver, state, attempts,
       attempts_before, next_attempt_at_ms, begun_at_ms, created_at_ms)
     VALUES (?, ?, ?, ?, ?, ?, 'pending', 0, 0, ?, ?, ?)`,
    delivery.requestId,
    delivery.accountId,
    delivery.appId,
    delivery.gatewayRequestId,
    delivery.url,
    receiverOf(delivery.url),
    createdAtMs,
    createdAtMs,
    createdAtMs,
  );
}
