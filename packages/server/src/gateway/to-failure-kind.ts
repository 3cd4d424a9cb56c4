import { errors } from 'undici';
import type { UpstreamFailureKind } from './upstream-transport.ts';

/** What an error of Node's or undici's client says about the exchange, by its code. */
export function toFailureKind(cause: unknown): UpstreamFailureKind {
  const code = (cause as NodeJS.ErrnoException | null)?.code ?? '';
  if (code === 'ECONNREFUSED') return 'refused';
  if (code === 'UND_ERR_CONNECT_TIMEOUT' || code === 'ETIMEDOUT') return 'connect-timeout';
  if (code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE') return 'disconnected';
  // undici gives some parser errors no code, only their class.
  if (
    cause instanceof errors.HTTPParserError ||
    code.startsWith('HPE_') ||
    code === 'UND_ERR_HEADERS_OVERFLOW' ||
    code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH'
  ) {
    return 'bad-answer';
  }
  if (
    code === 'UND_ERR_INVALID_ARG' ||
    code === 'UND_ERR_NOT_SUPPORTED' ||
    code === 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH' ||
    code === 'ERR_UNESCAPED_CHARACTERS' ||
    code === 'ERR_INVALID_CHAR'
  ) {
    return 'bad-request';
  }
  return code.startsWith('UND_ERR') ? 'disconnected' : 'connect-error';
}
