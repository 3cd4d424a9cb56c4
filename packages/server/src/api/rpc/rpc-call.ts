import { createContextKey, type ContextKey, type HandlerContext } from '@connectrpc/connect';
import { LannerError } from '@lanner/protocol';
import type { Principal } from '../../auth/principal.ts';
import type { Origin } from '../../ports/route.ts';

/** Set by the request gate before any byte of the body is read. */
export const principalKey: ContextKey<Principal | null> = createContextKey<Principal | null>(null, {
  description: 'who calls',
});

/** Set by the HTTP handler: how the call reached us. */
export const originKey: ContextKey<Origin | null> = createContextKey<Origin | null>(null, {
  description: 'how the call reached us',
});

/** What a handler knows about its caller. */
export interface RpcCall {
  principal: Principal;
  origin: Origin;
  /** Aborted when the caller goes away or the stream ends. */
  signal: AbortSignal;
  /** Which program calls, as it says itself; may be empty. */
  userAgent: string;
}

/** The call behind a Connect context. Throws `internal_error` where gate or HTTP handler were left out. */
export function rpcCall(context: HandlerContext): RpcCall {
  const principal = context.values.get(principalKey);
  const origin = context.values.get(originKey);
  if (principal === null || origin === null) {
    throw new LannerError('internal_error', 'A call reached its handler without passing the request gate.');
  }
  return { principal, origin, signal: context.signal, userAgent: context.requestHeader.get('user-agent') ?? '' };
}
