import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import type { ClientHosts } from '../config/client-hosts.ts';

/** What part of the platform a request is for (DESIGN section 5). */
export type Role = 'rpc' | 'rest' | 'run' | 'queue' | 'ws' | 'cdn' | 'kv';

export type { ClientHosts };

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
