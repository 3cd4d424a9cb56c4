import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { ConfigurationError } from '../errors/client-error.ts';
import type { Environment } from './environment.ts';

/** A named table of the configuration file. */
export interface Profile {
  name: string;
  key: string | undefined;
  host: string | undefined;
}

/** What `~/.fal/config.toml` holds for us. */
export interface ConfigFile {
  path: string;
  exists: boolean;
  /** `__internal__.profile` */
  defaultProfile: string | undefined;
  /** `__internal__.team` */
  team: string | undefined;
  profiles: ReadonlyMap<string, Profile>;
}

/** `FAL_CONFIG_PATH`, else `~/.fal/config.toml`. */
export function configPath(environment: Environment): string {
  return environment['FAL_CONFIG_PATH'] || join(homeOf(environment), '.fal', 'config.toml');
}

/** `FAL_HOME_DIR`, else `~/.fal`: where the login token lies. */
export function falHome(environment: Environment): string {
  return environment['FAL_HOME_DIR'] || join(homeOf(environment), '.fal');
}

/** Reads and understands the file; a missing one is empty. */
export function readConfigFile(environment: Environment): ConfigFile {
  const path = configPath(environment);
  let text = '';
  let exists = true;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw new ConfigurationError('invalid_config_file', `The configuration file ${path} cannot be read.`, {
        cause: error,
        advice: 'Make it readable, or point FAL_CONFIG_PATH at another file.',
      });
    }
    exists = false;
  }
  return { ...parseConfig(text, path), exists };
}

/** The text of a configuration file, understood. Pure. */
export function parseConfig(text: string, path: string): Omit<ConfigFile, 'exists'> {
  let document: Record<string, unknown>;
  try {
    document = parse(text);
  } catch (error) {
    throw new ConfigurationError(
      'invalid_config_file',
      `The configuration file ${path} is not TOML: ${firstLine(error)}`,
      {
        cause: error,
        advice: 'Correct the line, or remove the file.',
      },
    );
  }
  const internal = tableOf(document['__internal__']);
  const profiles = new Map<string, Profile>();
  for (const [name, value] of Object.entries(document)) {
    const table = name === '__internal__' ? undefined : tableOf(value);
    if (table) profiles.set(name, { name, key: textOf(table['key']), host: textOf(table['host']) });
  }
  return { path, defaultProfile: textOf(internal?.['profile']), team: textOf(internal?.['team']), profiles };
}

const homeOf = (environment: Environment): string => environment['HOME'] || homedir();

function tableOf(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);
const firstLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
