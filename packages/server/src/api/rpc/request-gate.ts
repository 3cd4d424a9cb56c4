import type { HandlerContext } from '@connectrpc/connect';
import { LannerError } from '@lanner/protocol';
import { IsolateController } from '@lanner/protocol/controller';
import { parseRpcCredential } from '../../auth/parse-credential.ts';
import { rpcPermissions } from '../../auth/permission-map.ts';
import { requirePermission, type Permission } from '../../auth/permissions.ts';
import type { ControllerDeps } from './controller-deps.ts';
import { principalKey } from './rpc-call.ts';
import { toConnectError } from './rpc-errors.ts';

/**
 * Authenticates and authorises a call before any byte of its body is read: a stranger cannot make the server hold a
 * message of 2 GiB. Only the health service wants no credentials.
 */
export function createRequestGate(
  deps: Pick<ControllerDeps, 'authenticator' | 'log'>,
): (context: HandlerContext) => Promise<void> {
  const permissions: Record<string, Permission> = rpcPermissions;
  return async (context) => {
    if (context.service.typeName !== IsolateController.typeName) return;
    try {
      const credential = parseRpcCredential((name) => context.requestHeader.get(name));
      const principal = await deps.authenticator.authenticate(credential);
      const permission = permissions[context.method.name];
      if (permission === undefined) {
        throw new LannerError('internal_error', `No permission is assigned to the method ${context.method.name}.`);
      }
      requirePermission(principal, permission);
      context.values.set(principalKey, principal);
    } catch (error) {
      throw toConnectError(error, deps.log);
    }
  };
}
