import { toSecretInfo, type SecretInfo } from '../records/access.ts';
import type { EnvironmentCallOptions } from '../transport/call-options.ts';
import type { GrpcConnection } from '../transport/grpc-connection.ts';
import { Listing } from '../transport/listing.ts';
import { environmentField } from './alias.ts';

/**
 * Where a secret is set, and who sees it.
 *
 * @example
 * ```ts
 * const options: SecretsSetOptions = { environmentName: 'staging', defaultExposed: false };
 * ```
 */
export interface SecretsSetOptions extends EnvironmentCallOptions {
  /** Whether apps that list no secrets see it. Default: the account's default, and as it was on an update. */
  defaultExposed?: boolean | undefined;
}

/**
 * Secrets that apps find in their environment: `fal secrets …`.
 *
 * @example
 * ```ts
 * import { ServerlessClient } from '@lanner/client';
 *
 * await using client = new ServerlessClient();
 * await client.secrets.set('HF_TOKEN', 'hf_…', { environmentName: 'staging' });
 * ```
 */
export class SecretsNamespace {
  readonly #rpc: GrpcConnection;

  /** @internal */
  constructor(rpc: GrpcConnection) {
    this.#rpc = rpc;
  }

  /**
   * Sets a secret, new or known. An empty text is a value too.
   *
   * @example
   * ```ts
   * await client.secrets.set('HF_TOKEN', 'hf_example', { defaultExposed: false });
   * ```
   */
  async set(name: string, value: string, options: SecretsSetOptions = {}): Promise<void> {
    await this.#rpc.change(options, (controller, rpc) =>
      controller.setSecret(
        {
          name,
          value,
          ...(options.defaultExposed === undefined ? {} : { defaultExposed: options.defaultExposed }),
          ...environmentField(options.environmentName),
        },
        rpc,
      ),
    );
  }

  /**
   * Names and settings; values never come back.
   *
   * @example
   * ```ts
   * for (const secret of await client.secrets.list()) console.log(secret.name, secret.defaultExposed);
   * ```
   */
  list(options: EnvironmentCallOptions = {}): Listing<SecretInfo> {
    return new Listing(async () => {
      const answer = await this.#rpc.read(options, (controller, rpc) =>
        controller.listSecrets(environmentField(options.environmentName), rpc),
      );
      return answer.secrets.map(toSecretInfo);
    });
  }

  /**
   * Deletes a secret.
   *
   * @example
   * ```ts
   * await client.secrets.unset('HF_TOKEN', { environmentName: 'staging' });
   * ```
   */
  async unset(name: string, options: EnvironmentCallOptions = {}): Promise<void> {
    await this.#rpc.change(options, (controller, rpc) =>
      controller.setSecret({ name, ...environmentField(options.environmentName) }, rpc),
    );
  }
}
