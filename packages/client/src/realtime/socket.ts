/** What is told of a socket. `onClose` comes once and last, also when it never opened. */
export interface SocketListener {
  onOpen(): void;
  onMessage(data: Uint8Array | string): void;
  /** `code` as in close frames, 1006 without one. `error`: why it did not open, where that is known. */
  onClose(code: number, reason: string, error?: unknown): void;
}

/** The part of a WebSocket that we need. */
export interface Socket {
  /** False once either side has begun to close: what is sent then is lost. */
  readonly isOpen: boolean;
  send(data: Uint8Array | string): void;
  /** Says goodbye and closes; `onClose` follows. */
  close(): void;
}

/** How a socket is opened. */
export interface Sockets {
  /**
   * Whether headers can be sent with the handshake. Without them a short-lived token goes into the URL, as browsers need it.
   */
  readonly hasHeaders: boolean;
  open(url: string, headers: Record<string, string>, listener: SocketListener): Promise<Socket>;
}
