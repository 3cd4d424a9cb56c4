import { homedir } from 'node:os';
import { join } from 'node:path';

/** `FAL_CONFIG_PATH`, else `~/.fal/config.toml`: profiles, shared with the official command. */
export function configPath(environment: NodeJS.ProcessEnv): string {
  return environment['FAL_CONFIG_PATH'] || join(environment['HOME'] || homedir(), '.fal', 'config.toml');
}

/** `FAL_HOME_DIR`, else `~/.fal`: the login. */
export function falHome(environment: NodeJS.ProcessEnv): string {
  return environment['FAL_HOME_DIR'] || join(environment['HOME'] || homedir(), '.fal');
}
