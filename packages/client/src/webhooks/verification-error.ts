/**
 * Why a webhook is not believed:
 * - `missing_header`, `malformed_header`: one of the four signature headers.
 * - `timestamp_out_of_tolerance`: too old or from the future; somebody may repeat what they saw.
 * - `invalid_signature`: no key of the set made it, or somebody changed it.
 * - `malformed_body`: signed, and not the JSON of a webhook.
 * - `keys_unavailable`: the key set could not be fetched. The webhook may be fine: answer with 503, and it comes again.
 *
 * @example
 * ```ts
 * const code: WebhookVerificationCode = 'invalid_signature';
 * ```
 */
export type WebhookVerificationCode =
  | 'missing_header'
  | 'malformed_header'
  | 'timestamp_out_of_tolerance'
  | 'invalid_signature'
  | 'malformed_body'
  | 'keys_unavailable';

/**
 * A webhook that is not to be believed.
 *
 * @example
 * ```ts
 * export const refuse = (error: unknown): Response =>
 *   new Response(error instanceof WebhookVerificationError ? error.code : null, { status: 401 });
 * ```
 */
export class WebhookVerificationError extends Error {
  override readonly name = 'WebhookVerificationError';
  readonly code: WebhookVerificationCode;

  constructor(code: WebhookVerificationCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
