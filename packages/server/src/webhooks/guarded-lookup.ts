import type { LookupFunction } from 'node:net';
import { isForbiddenTarget } from './private-address.ts';
import type { HostAddress, ResolveHost } from './resolve-host.ts';

/** The target of a webhook is not allowed. */
export class TargetRefusedError extends Error {
  readonly code = 'target_refused';
}

/**
 * Name resolution for connections to receivers. It happens once per connection and what comes out is what is connected to: a name
 * that answers differently a moment later (DNS rebinding) gains nothing.
 */
export function createGuardedLookup(resolveHost: ResolveHost, allowPrivate: boolean): LookupFunction {
  const find = async (hostname: string): Promise<HostAddress[]> => {
    const found = await resolveHost(hostname);
    const allowed = found.filter(({ address }) => !isForbiddenTarget(address, allowPrivate));
    if (allowed.length === 0 && found.length > 0) throw new TargetRefusedError('the target is inside the network');
    return allowed;
  };
  return (hostname, options, answer) => {
    find(hostname).then(
      (found) => {
        const wanted = options.family === 4 || options.family === 6 ? options.family : null;
        const fitting = wanted === null ? found : found.filter(({ family }) => family === wanted);
        const [first] = fitting;
        if (first === undefined) {
          answer(Object.assign(new Error('the name has no address'), { code: 'ENOTFOUND' }), '', 4);
        } else if (options.all === true) answer(null, fitting);
        else answer(null, first.address, first.family);
      },
      (error: unknown) => answer(error as NodeJS.ErrnoException, '', 4),
    );
  };
}
