/** Bounds of the gateway. Every one of them can be set by configuration. */
export interface GatewayLimits {
  /** Largest request body; more is answered with 413. Default 2 GiB. */
  maxBodyBytes: number;
  /**
   * Bodies up to this many bytes are read before a slot is asked for, so that a slow uploader holds no runner. Larger ones
   * stream. Default 64 KiB.
   */
  bufferedBodyBytes: number;
  /** All response headers together (data-plane 2.3: 16 KB). Default 16,384. */
  maxResponseHeaderBytes: number;
  /** For the TCP connection to a runner. Default 5,000. */
  connectTimeoutMs: number;
  /** How long an abandoned request waits for the answer to its `/cancel` call before its slot is free. Default 5,000. */
  cancelTimeoutMs: number;
  /** How much of an unwanted request body is read and thrown away before the connection is closed. Default 1 MiB. */
  discardBytes: number;
  /**
   * A connection to a runner that carried nothing for this long is closed. Default 4,000: less than the five seconds after which
   * uvicorn and Node close an idle connection themselves.
   */
  idleConnectionMs: number;
  /** Largest message on a WebSocket, either way; more closes it with 1009. Default 64 MiB. */
  maxSocketMessageBytes: number;
  /** WebSockets without a message either way for this long are closed with 1000; null never. Default 1 h. */
  socketIdleMs: number | null;
  /** How long either side of a WebSocket may take to close once the other has, or has been told to. Default 5,000. */
  socketLingerMs: number;
}

/** What holds when nothing is configured. */
export const defaultGatewayLimits: GatewayLimits = {
  maxBodyBytes: 2 * 1024 ** 3,
  bufferedBodyBytes: 64 * 1024,
  maxResponseHeaderBytes: 16 * 1024,
  connectTimeoutMs: 5_000,
  cancelTimeoutMs: 5_000,
  discardBytes: 1024 ** 2,
  idleConnectionMs: 4_000,
  maxSocketMessageBytes: 64 * 1024 ** 2,
  socketIdleMs: 60 * 60 * 1000,
  socketLingerMs: 5_000,
};
