import { timestampDate, type Timestamp } from '@bufbuild/protobuf/wkt';
import {
  CreateUserKeyRequest_Scope,
  type EnvironmentInfo as EnvironmentMessage,
  type Secret,
  type UserKeyInfo,
} from '@lanner/protocol/controller';

/**
 * The older of the two ways to say what a key may do.
 *
 * @example
 * ```ts
 * const scope: KeyScope = 'api';
 * ```
 */
export type KeyScope = 'admin' | 'api';

/**
 * What a key may do, as a named bundle of permissions.
 *
 * @example
 * ```ts
 * const preset: KeyPreset = 'DEPLOY';
 * ```
 */
export type KeyPreset = 'FULL' | 'API' | 'DEPLOY' | 'READONLY' | 'BILLING' | 'COMPUTE' | 'SERVERLESS' | 'AGENT';

/**
 * A key without its secret.
 *
 * @example
 * ```ts
 * const keys: KeyInfo[] = await client.keys.list();
 * ```
 */
export interface KeyInfo {
  keyId: string;
  createdAt: Date | null;
  /** `null` for keys whose permissions no scope describes. */
  scope: KeyScope | null;
  description: string;
}

/**
 * A new key; the secret is told this once.
 *
 * @example
 * ```ts
 * const key: CreatedKey = await client.keys.create({ preset: 'API' });
 * console.log(`${key.keyId}:${key.keySecret}`.length);
 * ```
 */
export interface CreatedKey {
  keyId: string;
  keySecret: string;
}

/**
 * A secret's name; its value never leaves the server.
 *
 * @example
 * ```ts
 * const secrets: SecretInfo[] = await client.secrets.list();
 * ```
 */
export interface SecretInfo {
  name: string;
  createdAt: Date | null;
  environmentName: string;
  /** Whether apps that list no secrets see it; `null` = the account's default. */
  defaultExposed: boolean | null;
}

/**
 * A deployment environment.
 *
 * @example
 * ```ts
 * const environments: EnvironmentInfo[] = await client.environments.list();
 * ```
 */
export interface EnvironmentInfo {
  name: string;
  description: string | null;
  isDefault: boolean;
  createdAt: Date | null;
}

const dateOf = (timestamp: Timestamp | undefined): Date | null => (timestamp ? timestampDate(timestamp) : null);

/** @internal */
export function toKeyInfo(key: UserKeyInfo): KeyInfo {
  const isAdmin = key.scope === CreateUserKeyRequest_Scope.ADMIN;
  const isApi = key.scope === CreateUserKeyRequest_Scope.API;
  return {
    keyId: key.keyId,
    createdAt: dateOf(key.createdAt),
    scope: isAdmin ? 'admin' : isApi ? 'api' : null,
    description: key.alias,
  };
}

/** @internal */
export function toSecretInfo(secret: Secret): SecretInfo {
  return {
    name: secret.name,
    createdAt: dateOf(secret.createdTime),
    environmentName: secret.environmentName || 'main',
    defaultExposed: secret.defaultExposed ?? null,
  };
}

/** @internal */
export function toEnvironmentInfo(environment: EnvironmentMessage): EnvironmentInfo {
  return {
    name: environment.name,
    description: environment.description || null,
    isDefault: environment.isDefault,
    createdAt: dateOf(environment.createdAt),
  };
}
