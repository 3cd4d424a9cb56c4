import { LannerError } from '@lanner/protocol';
import type { UpstreamFailure } from './upstream/upstream-transport.ts';

/** A failed exchange with a runner as the error that its caller gets (data-plane 2.4). */
export function toGatewayError({ kind, cause }: UpstreamFailure): LannerError {
  switch (kind) {
    case 'refused':
      return new LannerError(
        'runner_connection_refused',
        'The runner refused the connection. The app may have closed its port.',
        { cause },
      );
    case 'connect-timeout':
      return new LannerError('runner_connection_timeout', 'The runner did not accept a connection in time.', { cause });
    case 'connect-error':
      return new LannerError('runner_connection_error', 'No connection to the runner could be made.', { cause });
    case 'disconnected':
      return new LannerError(
        'runner_disconnected',
        'The runner closed the connection before it answered. Its log may say why.',
        { cause },
      );
    case 'bad-answer':
      return new LannerError(
        'runner_incomplete_response',
        'The runner sent an answer that is not valid HTTP, is truncated, or has more than 16 KB of headers.',
        { cause },
      );
    case 'bad-request':
      return new LannerError('bad_request', 'The request contains a header, path or length that cannot be passed on.', {
        cause,
      });
  }
}
