import { toEnvironmentInfo, type EnvironmentInfo } from '../records/access.ts';
import type { CallOptions } from '../transport/call-options.ts';
import type { GrpcConnection } from '../transport/grpc-connection.ts';
import { Listing } from '../transport/listing.ts';
import { required } from './apps.ts';

/**
 * What an environment may be given.
 *
 * @example
 * ```ts
 * const options: EnvironmentsCreateOptions = { description: 'before production' };
 * ```
 */
export interface EnvironmentsCreateOptions extends CallOptions {
  description?: string | undefined;
}

/**
 * Deployment environments of the account: `fal environments …`.
 *
 * @example
 * ```ts
 * await client.environments.create('staging');
 * await client.deploy('app.py', { environmentName: 'staging' });
 * ```
 */
export class EnvironmentsNamespace {
  readonly #rpc: GrpcConnection;

  /** @internal */
  constructor(rpc: GrpcConnection) {
    this.#rpc = rpc;
  }

  /**
   * Makes an environment; a taken name is an error with code `already_exists`.
   *
   * @example
   * ```ts
   * const { name } = await client.environments.create('staging', { description: 'before production' });
   * console.log(name);
   * ```
   */
  async create(name: string, options: EnvironmentsCreateOptions = {}): Promise<EnvironmentInfo> {
    const answer = await this.#rpc.change(options, (controller, rpc) =>
      controller.createEnvironment(
        { name, ...(options.description === undefined ? {} : { description: options.description }) },
        rpc,
      ),
    );
    return toEnvironmentInfo(required(answer.environment, 'the new environment'));
  }

  /**
   * The environments of the account, `main` first.
   *
   * @example
   * ```ts
   * for (const environment of await client.environments.list()) console.log(environment.name, environment.isDefault);
   * ```
   */
  list(options: CallOptions = {}): Listing<EnvironmentInfo> {
    return new Listing(async () => {
      const answer = await this.#rpc.read(options, (controller, rpc) => controller.listEnvironments({}, rpc));
      return answer.environments.map(toEnvironmentInfo);
    });
  }

  /**
   * Deletes an environment with all its apps and secrets.
   *
   * @example
   * ```ts
   * await client.environments.delete('staging');
   * ```
   */
  async delete(name: string, options: CallOptions = {}): Promise<void> {
    await this.#rpc.change(options, (controller, rpc) => controller.deleteEnvironment({ name }, rpc));
  }
}
