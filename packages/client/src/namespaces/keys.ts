import { ConfigurationError } from '../errors/client-error.ts';
import { toKeyInfo, type CreatedKey, type KeyInfo, type KeyPreset, type KeyScope } from '../records/access.ts';
import type { CallOptions } from '../transport/call-options.ts';
import type { GrpcConnection } from '../transport/grpc-connection.ts';
import { Listing } from '../transport/listing.ts';

/**
 * What a new key may do: exactly one of `scope`, `preset` and `permissions`.
 *
 * @example
 * ```ts
 * const options: KeysCreateOptions = { preset: 'DEPLOY', description: 'continuous integration' };
 * ```
 */
export interface KeysCreateOptions extends CallOptions {
  /** `admin` is the preset FULL, `api` the preset API. Upper case is taken as well. */
  scope?: KeyScope | Uppercase<KeyScope> | undefined;
  preset?: KeyPreset | Lowercase<KeyPreset> | undefined;
  /** Names like `serverless:apps:run`; at least one. The server knows which there are. */
  permissions?: readonly string[] | undefined;
  description?: string | undefined;
}

const presets: readonly KeyPreset[] = [
  'FULL',
  'API',
  'DEPLOY',
  'READONLY',
  'BILLING',
  'COMPUTE',
  'SERVERLESS',
  'AGENT',
];

/**
 * Keys of the account: `fal keys …`.
 *
 * @example
 * ```ts
 * import { ServerlessClient } from '@lanner/client';
 *
 * await using client = new ServerlessClient();
 * const { keyId, keySecret } = await client.keys.create({ scope: 'api', description: 'the web shop' });
 * console.log(`FAL_KEY=${keyId}:${keySecret}`);
 * ```
 */
export class KeysNamespace {
  readonly #rpc: GrpcConnection;

  /** @internal */
  constructor(rpc: GrpcConnection) {
    this.#rpc = rpc;
  }

  /**
   * Makes a key. Its secret is in the answer and nowhere else.
   *
   * @example
   * ```ts
   * const { keyId, keySecret } = await client.keys.create({ scope: 'api', description: 'the web shop' });
   * console.log(keyId, keySecret.length);
   * ```
   */
  async create(options: KeysCreateOptions): Promise<CreatedKey> {
    const grant = grantOf(options);
    const answer = await this.#rpc.change(options, (controller, rpc) =>
      controller.createUserKey(
        { ...grant, ...(options.description === undefined ? {} : { alias: options.description }) },
        rpc,
      ),
    );
    return { keyId: answer.keyId, keySecret: answer.keySecret };
  }

  /**
   * The keys of the account, without their secrets.
   *
   * @example
   * ```ts
   * for await (const key of client.keys.list()) console.log(key.keyId, key.scope, key.description);
   * ```
   */
  list(options: CallOptions = {}): Listing<KeyInfo> {
    return new Listing(async () => {
      const answer = await this.#rpc.read(options, (controller, rpc) => controller.listUserKeys({}, rpc));
      return answer.userKeys.map(toKeyInfo);
    });
  }

  /**
   * Makes a key useless, at once.
   *
   * @example
   * ```ts
   * await client.keys.revoke('1f0c1f5e-6a4d-4b7a-9d55-3d3f4f0c8a11');
   * ```
   */
  async revoke(keyId: string, options: CallOptions = {}): Promise<void> {
    await this.#rpc.change(options, (controller, rpc) => controller.revokeUserKey({ keyId }, rpc));
  }
}

function grantOf({
  scope,
  preset,
  permissions,
}: KeysCreateOptions): { policyPreset: KeyPreset } | { policy: { permissions: string[] } } {
  if ([scope, preset, permissions].filter((given) => given !== undefined).length !== 1) {
    throw refuse('A key needs exactly one of scope, preset and permissions.', 'For example { scope: "api" }.');
  }
  if (permissions !== undefined) {
    if (!Array.isArray(permissions) || permissions.length === 0) {
      throw refuse('permissions has to be a list of at least one name.', 'For example ["serverless:apps:run"].');
    }
    return { policy: { permissions: [...(permissions as string[])] } };
  }
  const wanted = String(preset ?? scope).toUpperCase();
  const name = scope !== undefined && wanted === 'ADMIN' ? 'FULL' : wanted;
  const found = presets.find((candidate) => candidate === name);
  if (found === undefined || (scope !== undefined && !['FULL', 'API'].includes(found))) {
    throw refuse(
      `There is no key ${scope === undefined ? 'preset' : 'scope'} "${preset ?? scope}".`,
      scope === undefined ? `Presets are ${presets.join(', ')}.` : 'Scopes are admin and api.',
    );
  }
  return { policyPreset: found };
}

const refuse = (message: string, advice: string): ConfigurationError =>
  new ConfigurationError('invalid_argument', message, { advice });
