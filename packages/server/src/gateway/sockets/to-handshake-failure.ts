import type { UpstreamFailureKind } from '../upstream/upstream-transport.ts';

/** What an error of Node's HTTP client says about a handshake, by its code. */
export function toHandshakeFailure(cause: unknown): UpstreamFailureKind {
  const code = (cause as NodeJS.ErrnoException | null)?.code ?? '';
  if (code === 'ECONNREFUSED') return 'refused';
  if (code === 'ETIMEDOUT') return 'connect-timeout';
  if (code === 'ECONNRESET' || code === 'EPIPE') return 'disconnected';
  if (code.startsWith('HPE_')) return 'bad-answer';
  return code === 'ERR_UNESCAPED_CHARACTERS' || code === 'ERR_INVALID_CHAR' ? 'bad-request' : 'connect-error';
}
