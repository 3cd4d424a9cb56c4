import { toEnvironmentInfo, type EnvironmentInfo } from '../records/access.ts';
import type { CallOptions } from '../transport/call-options.ts';
import type { GrpcConnection } from '../transport/grpc-connection.ts';
import { Listing } from '../transport/listing.ts';
import { required } from './apps.ts';

export interface EnvironmentsCreateOptions extends CallOptions {
  description?: string | undefined;
}

/** Deployment environments of the account: `fal environments …`. */
export class EnvironmentsNamespace {
  readonly #rpc: GrpcConnection;

  /** @internal */
  constructor(rpc: GrpcConnection) {
    this.#rpc = rpc;
  }

  /** Makes an environment; a taken name is an error with code `already_exists`. */
  async create(name: string, options: EnvironmentsCreateOptions = {}): Promise<EnvironmentInfo> {
    const answer = await this.#rpc.change(options, (controller, rpc) =>
      controller.createEnvironment(
        { name, ...(options.description === undefined ? {} : { description: options.description }) },
        rpc,
      ),
    );
    return toEnvironmentInfo(required(answer.environment, 'the new environment'));
  }

  list(options: CallOptions = {}): Listing<EnvironmentInfo> {
    return new Listing(async () => {
      const answer = await this.#rpc.read(options, (controller, rpc) => controller.listEnvironments({}, rpc));
      return answer.environments.map(toEnvironmentInfo);
    });
  }

  /** Deletes an environment with all its apps and secrets. */
  async delete(name: string, options: CallOptions = {}): Promise<void> {
    await this.#rpc.change(options, (controller, rpc) => controller.deleteEnvironment({ name }, rpc));
  }
}
