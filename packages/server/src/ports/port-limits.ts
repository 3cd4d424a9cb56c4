/** Limits of both ports. Nobody tunes them in a running server; each has its reason. */
export type PortLimits = { readonly [Name in keyof typeof defaultLimits]: number };

const defaultLimits = {
  /** Upload policy headers of the official clients reach several KB; a megabyte is an attack. */
  maxHeaderBytes: 64 * 1024,
  /** Time for a complete header, from the connection or from the end of the previous request. */
  headersTimeoutMs: 15_000,
  /** Time for a complete request with its body: an upload of 20 GB over a 50 Mbit/s line. */
  requestTimeoutMs: 60 * 60_000,
  /** How often the two limits above are looked at. */
  checkIntervalMs: 2_000,
  /** Longer than the 60 s that load balancers keep idle connections. */
  keepAliveTimeoutMs: 75_000,
  tlsHandshakeTimeoutMs: 10_000,
  /** A connection that says nothing at all on the clear-text port. */
  firstByteTimeoutMs: 5_000,
  /** HTTP/2 connections without a stream are closed after this; with streams the peer is pinged. */
  sessionIdleMs: 5 * 60_000,
  pingTimeoutMs: 20_000,
  maxStreamsPerSession: 256,
  /** 64 MiB arguments in gRPC messages must not wait for a window update per 64 KiB. */
  streamWindowBytes: 4 * 1024 * 1024,
  sessionWindowBytes: 16 * 1024 * 1024,
  sessionMemoryMiB: 64,
  maxConnections: 16_384,
  maxTunnels: 1_024,
  tunnelConnectTimeoutMs: 15_000,
};

export const portLimits: PortLimits = defaultLimits;
