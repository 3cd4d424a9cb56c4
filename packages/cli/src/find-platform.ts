import {
  clientEnvironment,
  dataDirLayout,
  defaultDataRoot,
  extendBundle,
  findRunningServer,
  readCredentials,
  trustedFiles,
  type ClientAccess,
  type DataDir,
} from '@lanner/server/config';
import { CommandError } from './output.ts';

/** The data folder a command is about: flag, else `LANNER_HOME`, else the default. */
export function chosenDataDir(flag: string | undefined): DataDir {
  // an unset variable in a script; taking it for the current folder would only puzzle
  if (flag === '') throw new CommandError('--data-dir is empty.', 'Name the folder, or leave the option out.', 2);
  const fromEnvironment = process.env.LANNER_HOME;
  return dataDirLayout(flag ?? (fromEnvironment ? fromEnvironment : defaultDataRoot()));
}

/** How clients reach the platform of a data folder; throws a {@link CommandError} when none is running. */
export function findPlatform(dataDir: DataDir): ClientAccess {
  const state = findRunningServer(dataDir);
  if (state === null) {
    throw new CommandError(
      `No Lanner server runs on the data folder ${dataDir.root}.`,
      'Start one with `lanner serve`, or name its folder with --data-dir.',
    );
  }
  const credentials = readCredentials(dataDir.credentials);
  if (credentials === null) {
    throw new CommandError(
      `The credentials file ${dataDir.credentials} is missing.`,
      'Restart the server: it makes a new key and writes it there.',
    );
  }
  const { tlsPort, httpPort, host, domain } = state;
  return { tlsPort, httpPort, host, domain, key: credentials.key, bundlePath: dataDir.caBundle };
}

/** The variables by which the client reaches the platform of a data folder: what `lanner env` would print. */
export function localVariables(folder: string | undefined, environment: NodeJS.ProcessEnv): Record<string, string> {
  const dataDir = chosenDataDir(folder);
  const access = findPlatform(dataDir);
  const bundle = extendBundle(access.bundlePath, dataDir.ca, trustedFiles(environment));
  const mode = access.domain === null ? 'path' : 'domain';
  return clientEnvironment({ ...access, bundlePath: bundle.path }, mode, environment);
}

/** Where the platform of this machine is, if one runs on the usual data folder. */
export function findLocalPlatform(): { grpcHost: string } | null {
  const dataDir = chosenDataDir(undefined);
  if (findRunningServer(dataDir) === null) return null;
  return { grpcHost: localVariables(undefined, process.env)['FAL_GRPC_HOST']! };
}
