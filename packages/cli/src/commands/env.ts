import { clientEnvironment, extendBundle, trustedFiles } from '@lanner/server/config';
import { chosenDataDir, findPlatform } from '../find-platform.ts';
import { formatVariables, maskKey, type VariablesFormat } from '../format-variables.ts';
import { CommandError, note, print } from '../output.ts';

interface EnvOptions {
  dataDir?: string;
  mode?: 'path' | 'domain';
  format: VariablesFormat;
}

/** `lanner env`: variables on standard output, hints on standard error. */
export function env(options: EnvOptions): void {
  const dataDir = chosenDataDir(options.dataDir);
  const access = findPlatform(dataDir);
  const mode = options.mode ?? (access.domain === null ? 'path' : 'domain');
  if (mode === 'domain' && access.domain === null) {
    throw new CommandError(
      'This platform has no domain, so there are no variables for domain mode.',
      'Use --mode path, or start the server with --domain.',
    );
  }
  const bundle = extendBundle(access.bundlePath, dataDir.ca, trustedFiles(process.env));
  const variables = clientEnvironment({ ...access, bundlePath: bundle.path }, mode, process.env);
  const isTerminal = process.stdout.isTTY === true;
  print(formatVariables(isTerminal ? { ...variables, FAL_KEY: maskKey(access.key) } : variables, options.format));
  if (isTerminal) note('The key is hidden because this is a terminal; eval "$(lanner env)" sets it.');
}
