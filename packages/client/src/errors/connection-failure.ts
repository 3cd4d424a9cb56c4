import { ClientError, ConnectionError, type ClientErrorCode } from './client-error.ts';

/** Why a connection could not be made, from the error codes of Node; `undefined` when it is none of these. */
interface Failure {
  code: ClientErrorCode;
  what: string;
  advice: string;
}

const trustAdvice =
  'Set SSL_CERT_FILE (or GRPC_DEFAULT_SSL_ROOTS_FILE_PATH) to a file with the certificate authority of the server; ' +
  '`lanner env` prints it.';
const refusedAdvice = 'Is it running, and is the port right? Set LANNER_HOST or FAL_GRPC_HOST to another host[:port].';

/** Node's own error codes (Error.code of sockets, TLS and DNS) by what they mean to a caller. */
const failures: readonly { codes: RegExp; failure: Failure }[] = [
  {
    codes: /^(ENOTFOUND|EAI_AGAIN|EAI_NODATA|EAI_NONAME)$/,
    failure: { code: 'host_not_found', what: 'its name does not resolve', advice: 'Check the host name and your DNS.' },
  },
  {
    codes: /^ECONNREFUSED$/,
    failure: { code: 'connection_refused', what: 'nothing listens there', advice: refusedAdvice },
  },
  {
    codes: /CERT|^DEPTH_ZERO|SELF_SIGNED|^UNABLE_TO_(GET|VERIFY)|^ERR_TLS|^ERR_SSL|^EPROTO$/,
    failure: { code: 'certificate_not_trusted', what: 'its certificate is not trusted', advice: trustAdvice },
  },
  {
    codes: /^(EHOSTUNREACH|ENETUNREACH|EADDRNOTAVAIL|ENETDOWN)$/,
    failure: { code: 'server_unavailable', what: 'there is no route to it', advice: 'Check your network and proxy.' },
  },
  {
    codes: /^(ETIMEDOUT|ERR_HTTP2_PING_TIMEOUT)$/,
    failure: { code: 'timed_out', what: 'it did not answer in time', advice: 'Check your network and firewall.' },
  },
  {
    codes: /^(ECONNRESET|EPIPE|ECONNABORTED|ERR_HTTP2_.*|ERR_STREAM_PREMATURE_CLOSE)$/,
    failure: {
      code: 'connection_lost',
      what: 'the connection broke',
      advice: 'Try again; when it repeats, look at the log of the server.',
    },
  },
];

/** The codes after which nothing has reached the server, so that any call may be repeated. */
const nothingSent: ReadonlySet<ClientErrorCode> = new Set(['host_not_found', 'connection_refused']);

/** Looks through an error and its causes for one of Node's codes, and says it for people. */
export function connectionFailure(error: unknown, target: string): ConnectionError | undefined {
  for (const current of causesOf(error)) {
    const code = (current as { code?: unknown }).code;
    if (typeof code !== 'string') continue;
    const found = failures.find(({ codes }) => codes.test(code));
    if (found === undefined) continue;
    const { failure } = found;
    return new ConnectionError(failure.code, `Could not reach ${target}: ${failure.what} (${code}).`, {
      cause: error,
      advice: failure.advice,
      details: { target, systemCode: code },
    });
  }
  return undefined;
}

/** True when the failed call cannot have had an effect. */
export function wasNeverSent(error: unknown): boolean {
  return error instanceof ClientError && nothingSent.has(error.code);
}

/** An error, its causes, and the members of aggregates, each once. */
function causesOf(error: unknown): object[] {
  const seen: object[] = [];
  const waiting: unknown[] = [error];
  while (waiting.length > 0 && seen.length < 20) {
    const current = waiting.shift();
    if (typeof current !== 'object' || current === null || seen.includes(current)) continue;
    seen.push(current);
    waiting.push((current as { cause?: unknown }).cause);
    const { errors } = current as { errors?: unknown };
    if (Array.isArray(errors)) waiting.push(...errors);
  }
  return seen;
}
