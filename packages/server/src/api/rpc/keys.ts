import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { LannerError } from '@lanner/protocol';
import {
  CreateUserKeyRequest_Scope as Scope,
  UserKeyInfoSchema,
  type CreateUserKeyRequest,
  type UserKeyInfo,
} from '@lanner/protocol/controller';
import type { KeyGrant, KeyInfo } from '../../auth/keys.ts';
import { requireGrantWithin } from '../../auth/permissions.ts';
import type { ControllerDeps } from './controller-deps.ts';
import type { ControllerPart } from './controller-part.ts';
import { rpcCall } from './rpc-call.ts';

/** A scope number that clients do not know: current ones read it as "no scope". Used where a key equals neither old scope. */
const scopeOfNewerKeys = 2 as UserKeyInfo['scope'];

const longestDescription = 1000;

/** Keys of the caller's account: create, list, revoke. */
export function createKeyMethods(
  deps: Pick<ControllerDeps, 'keys'>,
): ControllerPart<'createUserKey' | 'listUserKeys' | 'revokeUserKey'> {
  return {
    async createUserKey(request, context) {
      const { principal } = rpcCall(context);
      const description = request.alias ?? '';
      if (description.length > longestDescription) {
        throw new LannerError(
          'invalid_argument',
          `The description of the key has ${description.length} characters; the limit is ${longestDescription}.`,
        );
      }
      const grant = parseKeyGrant(request);
      requireGrantWithin(principal, grant);
      const { keyId, keySecret } = await deps.keys.create(principal.accountId, grant, description);
      return { keyId, keySecret };
    },

    async listUserKeys(_request, context) {
      const { principal } = rpcCall(context);
      const keys = await deps.keys.list(principal.accountId);
      return { userKeys: keys.map(toUserKeyInfo) };
    },

    async revokeUserKey(request, context) {
      const { principal } = rpcCall(context);
      await deps.keys.revoke(principal.accountId, request.keyId);
      return {};
    },
  };
}

/**
 * What a new key may do. Of several grants the most precise wins: policy, preset, scope. None at all is the request of an
 * older client for an ADMIN key.
 *
 * @throws `invalid_argument` for an unknown scope number. Names of presets and permissions are checked by the domain.
 */
export function parseKeyGrant(request: Pick<CreateUserKeyRequest, 'policy' | 'policyPreset' | 'scope'>): KeyGrant {
  if (request.policy !== undefined) return { permissions: [...new Set(request.policy.permissions)] };
  if (request.policyPreset !== undefined) return { preset: request.policyPreset };
  switch (request.scope) {
    case undefined:
    case Scope.ADMIN:
      return { preset: 'FULL' };
    case Scope.API:
      return { preset: 'API' };
    default:
      throw new LannerError(
        'invalid_argument',
        `The key scope number ${request.scope} is unknown; known are 0 (ADMIN) and 1 (API).`,
      );
  }
}

function toUserKeyInfo(key: KeyInfo): UserKeyInfo {
  return create(UserKeyInfoSchema, {
    keyId: key.keyId,
    createdAt: timestampFromMs(key.createdAtMs),
    scope: key.preset === 'FULL' ? Scope.ADMIN : key.preset === 'API' ? Scope.API : scopeOfNewerKeys,
    alias: key.description,
  });
}
