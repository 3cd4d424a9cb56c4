import { readFileSync } from 'node:fs';
import { ConfigurationError } from '../errors/client-error.ts';
import { readFlag, type Environment } from '../resolve/environment.ts';

/** TLS settings of a connection. */
export interface Trust {
  /** Certificate authorities in PEM; `undefined` = those Node brings. */
  ca: string | undefined;
  rejectUnauthorized: boolean;
}

/**
 * Whom to trust: the file of the first variable that is set, in the order given. In test mode (loopback) nothing is checked.
 * gRPC reads `GRPC_DEFAULT_SSL_ROOTS_FILE_PATH` first, plain HTTP `SSL_CERT_FILE`, so one of the two is enough here.
 */
export function readTrust(environment: Environment, order: 'grpc' | 'http'): Trust {
  const names = ['GRPC_DEFAULT_SSL_ROOTS_FILE_PATH', 'SSL_CERT_FILE'];
  if (order === 'http') names.reverse();
  const name = names.find((candidate) => environment[candidate]);
  const rejectUnauthorized = !readFlag(environment, 'ISOLATE_TEST_MODE');
  if (name === undefined) return { ca: undefined, rejectUnauthorized };
  const path = environment[name]!;
  try {
    return { ca: readFileSync(path, 'utf8'), rejectUnauthorized };
  } catch (error) {
    throw new ConfigurationError('invalid_config_file', `The certificates of ${name}, ${path}, cannot be read.`, {
      cause: error,
      advice: `Point ${name} at a PEM file, or unset it.`,
    });
  }
}
