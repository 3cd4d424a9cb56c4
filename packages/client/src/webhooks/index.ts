/** For those who receive webhooks. Imports nothing of Node, nothing of the rest of the client. */
export { WebhookVerificationError, type WebhookVerificationCode } from './verification-error.ts';
export {
  WebhookVerifier,
  verifyWebhook,
  type WebhookDelivery,
  type WebhookEvent,
  type WebhookHeaders,
  type WebhookVerifierOptions,
} from './verify-webhook.ts';
