import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  DeploymentStrategy,
  type HostedRunSchema,
  type RegisterApplicationRequestSchema,
} from '@lanner/protocol/controller';

/** The environment of most tests. */
export const aVirtualenv = { kind: 'virtualenv', configuration: { python_version: '3.11', requirements: ['six'] } };

/** A pickled callable; nobody unpickles it here. */
export const aPickle = { method: 'cloudpickle', definition: Buffer.from('pickled function') };

type Deploy = MessageInitShape<typeof RegisterApplicationRequestSchema>;
type Run = MessageInitShape<typeof HostedRunSchema>;

export function aDeploy(more: Deploy = {}): Deploy {
  return {
    environments: [aVirtualenv],
    callable: { case: 'function', value: aPickle },
    applicationName: 'hello',
    machineRequirements: {
      machineTypes: ['S'],
      keepAlive: 60,
      exposedPort: 8080,
      maxConcurrency: 3,
      maxMultiplexing: 2,
    },
    deploymentStrategy: DeploymentStrategy.RECREATE,
    ...more,
  } as Deploy;
}

export function aRun(more: Run = {}): Run {
  return {
    environments: [aVirtualenv],
    callable: { case: 'function', value: aPickle },
    applicationName: 'double',
    machineRequirements: { machineTypes: ['M'], keepAlive: 10 },
    ...more,
  } as Run;
}
