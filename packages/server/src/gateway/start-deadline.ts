import { LannerError } from '@lanner/protocol';
import type { Principal } from '../auth/principal.ts';
import type { Target } from '../scheduler/dispatcher.ts';

/** Ten years. A longer wait is as good as none, and what is noted of it stays a number that a database can hold. */
const longestSeconds = 315_360_000;

/**
 * Seconds within which a runner must take the request, or null for as long as it needs (platform-semantics 5.3):
 * the caller's `x-fal-request-timeout`, else the app's own default, which holds for requests of its owner only.
 *
 * Throws `bad_request` for a header that is not a number above zero.
 */
export function readStartTimeoutSeconds(
  header: string | undefined,
  target: Target,
  principal: Principal | null,
): number | null {
  if (header === undefined) {
    return principal?.accountId === target.accountId ? target.requestStartTimeoutSeconds : null;
  }
  const text = header.trim();
  const seconds = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(seconds > 0) || !Number.isFinite(seconds)) {
    throw new LannerError(
      'bad_request',
      `The header X-Fal-Request-Timeout has the value '${text.slice(0, 40)}'. Send a number of seconds above zero.`,
    );
  }
  return Math.min(seconds, longestSeconds);
}
