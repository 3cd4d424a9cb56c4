import type { Principal } from './principal.ts';

/** What a new token is for. */
export interface AppTokenRequest {
  /** In one of the forms of `parseAllowedApps`. */
  apps: readonly string[];
  /** 1 to 86,400. */
  lifetimeSeconds: number;
}

export interface NewAppToken {
  /** Safe in a URL, a header and a WebSocket subprotocol. */
  token: string;
  expiresAtMs: number;
}

/** Short-lived tokens that call some apps and do nothing else: for browsers, which must not hold a key (data-plane 1.5). */
export interface AppTokens {
  /**
   * Makes a token that acts for the account of `principal`, within what its key may call.
   * Throws `invalid_argument` for no, too many or unreadable apps and a lifetime out of bounds, `insufficient_permissions` when
   * `principal` is a token itself.
   */
  create(principal: Principal, request: AppTokenRequest): Promise<NewAppToken>;
  /**
   * Who a token calls for; `allowedApps` says what. Throws `invalid_token` when it was not made here, has expired, or its key is
   * gone.
   */
  verify(token: string): Promise<Principal>;
}
