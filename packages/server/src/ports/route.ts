import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';

/** What part of the platform a request is for (DESIGN section 5). */
export type Role = 'rpc' | 'rest' | 'run' | 'queue' | 'ws' | 'cdn' | 'kv';

/** Host strings as a client would set them (`FAL_*_HOST`): authority plus optional path prefix, no scheme. */
export interface ClientHosts {
  grpcHost: string;
  restHost: string;
  runHost: string;
  queueHost: string;
  wsHost: string;
}

/** How a request reached us; outgoing URLs are built from it, so that the same caller can follow them. */
export interface Origin {
  mode: 'path' | 'domain' | 'intercept';
  scheme: 'https' | 'http';
  hosts: ClientHosts;
}

/** A request sorted by role; `path` has the role's prefix removed and keeps the query string. */
export interface Route {
  role: Role;
  path: string;
  origin: Origin;
}

export type AnyRequest = IncomingMessage | Http2ServerRequest;
