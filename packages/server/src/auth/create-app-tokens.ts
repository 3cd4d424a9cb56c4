import { createSecretKey } from 'node:crypto';
import { LannerError, type Clock } from '@lanner/protocol';
import type { AppTokens } from './app-tokens.ts';
import type { KeyStore } from './key-store.ts';
import { effectivePermissions, everyPermission, type Permission } from './permissions.ts';
import type { Principal } from './principal.ts';
import { parseAllowedApps } from './token-scope.ts';

/** Loaded with the first token: start-up is not to pay for fifty modules. */
const loadJose = () => import('jose');

const longestLifetimeSeconds = 86_400;
const longestToken = 16_384;
const algorithm = 'HS256';
const issuer = 'lanner';
/** Tells these tokens from others that the same key may sign one day. */
const audience = 'apps';

/** All that a token may be used for, whatever its key may do. */
const callPermissions: readonly Permission[] = ['serverless:apps:run', 'models:requests:submit'];

/**
 * Tokens as signed statements (JWT, HS256): nothing is stored, and each names the key that made it, which is looked up at
 * every use. So a revoked key ends its tokens at once, and a key that loses a permission takes it from them.
 *
 * @param options.signingKey at least 32 bytes; another one makes every token void.
 */
export function createAppTokens(options: {
  signingKey: Uint8Array;
  store: Pick<KeyStore, 'findWithOwner'>;
  clock: Pick<Clock, 'nowMs'>;
}): AppTokens {
  const { store, clock } = options;
  const signingKey = createSecretKey(options.signingKey);

  const readClaims = async (token: string): Promise<{ keyId: string; apps: string[] }> => {
    // Decoders forgive what stands between the letters; here a token has one spelling.
    if (token.length > longestToken || !/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) throw invalidToken('was not made here');
    const { errors, jwtVerify } = await loadJose();
    try {
      const { payload } = await jwtVerify(token, signingKey, {
        algorithms: [algorithm],
        issuer,
        audience,
        requiredClaims: ['exp', 'key', 'apps'],
        currentDate: new Date(clock.nowMs()),
      });
      return { keyId: payload['key'] as string, apps: payload['apps'] as string[] };
    } catch (error) {
      if (error instanceof errors.JWTExpired) throw invalidToken('has expired');
      if (error instanceof errors.JOSEError) throw invalidToken('was not made here');
      throw error;
    }
  };

  return {
    async create(principal, { apps, lifetimeSeconds }) {
      if (principal.allowedApps !== undefined) {
        throw new LannerError('insufficient_permissions', 'Insufficient permissions: a token cannot make tokens.');
      }
      if (!(lifetimeSeconds >= 1 && lifetimeSeconds <= longestLifetimeSeconds)) {
        throw new LannerError(
          'invalid_argument',
          `A token lives 1 to ${longestLifetimeSeconds} seconds; ${lifetimeSeconds} were asked for.`,
        );
      }
      const issuedAtSeconds = Math.floor(clock.nowMs() / 1000);
      const expiresAtSeconds = issuedAtSeconds + Math.floor(lifetimeSeconds);
      const { SignJWT } = await loadJose();
      const token = await new SignJWT({ key: principal.keyId, apps: parseAllowedApps(apps) })
        .setProtectedHeader({ alg: algorithm, typ: 'JWT' })
        .setIssuer(issuer)
        .setAudience(audience)
        .setIssuedAt(issuedAtSeconds)
        .setExpirationTime(expiresAtSeconds)
        .sign(signingKey);
      return { token, expiresAtMs: expiresAtSeconds * 1000 };
    },

    async verify(token) {
      const { keyId, apps } = await readClaims(token);
      const key = await store.findWithOwner(keyId);
      if (key === null) throw invalidToken('was made with a key that is revoked');
      const granted = new Set<string>(effectivePermissions(key));
      return {
        accountId: key.accountId,
        nickname: key.nickname,
        keyId,
        permissions: new Set(
          callPermissions.filter((permission) => granted.has(everyPermission) || granted.has(permission)),
        ),
        allowedApps: apps,
      } satisfies Principal;
    },
  };
}

function invalidToken(what: string): LannerError {
  return new LannerError('invalid_token', `This token ${what}. Ask for a new one at /tokens/.`);
}
