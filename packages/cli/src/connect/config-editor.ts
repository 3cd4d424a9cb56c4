import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { parse, stringify } from 'smol-toml';
import { CommandError } from '../output.ts';

type Table = Record<string, unknown>;

/** Table of the file that is no profile. */
const internalTable = '__internal__';

/** `~/.fal/config.toml` as the commands change it: the official command and ours share the file. */
export class ConfigEditor {
  readonly path: string;
  readonly #document: Table;

  /** @param environmentProfile `LANNER_PROFILE` or `FAL_PROFILE`: comes before the default one of the file */
  constructor(path: string, environmentProfile?: string) {
    this.path = path;
    this.#document = read(path);
    const chosen = environmentProfile || this.#internal('profile');
    this.profile = chosen !== undefined && this.profiles().includes(chosen) ? chosen : undefined;
  }

  /** The profile in effect, if it exists. */
  readonly profile: string | undefined;

  profiles(): string[] {
    return Object.keys(this.#document).filter((name) => name !== internalTable && isTable(this.#document[name]));
  }

  /** Names of the settings of a profile; not their values. */
  settingsOf(profile: string): string[] {
    return Object.keys((this.#document[profile] as Table | undefined) ?? {});
  }

  hasGlobalSetting(name: string): boolean {
    return this.#document[name] !== undefined && !this.profiles().includes(name);
  }

  hasKey(profile: string): boolean {
    return Boolean((this.#document[profile] as Table | undefined)?.['key']);
  }

  hostOf(profile: string): string | undefined {
    const host = (this.#document[profile] as Table | undefined)?.['host'];
    return typeof host === 'string' && host !== '' ? host : undefined;
  }

  get team(): string | undefined {
    return this.#internal('team');
  }

  get defaultProfile(): string | undefined {
    return this.#internal('profile');
  }

  /** `undefined` takes it away. */
  setInternal(name: 'profile' | 'team', value: string | undefined): void {
    const table = (this.#document[internalTable] ??= {}) as Table;
    if (value === undefined) delete table[name];
    else table[name] = value;
  }

  createProfile(name: string): void {
    this.#document[name] ??= {};
  }

  deleteProfile(name: string): void {
    delete this.#document[name];
  }

  setInProfile(profile: string, name: 'key' | 'host', value: string): void {
    (this.#document[profile] as Table)[name] = value;
  }

  /** Writes the whole file or nothing; it may hold keys, so only its owner reads it. */
  save(): void {
    mkdirSync(dirname(this.path), { recursive: true });
    const target = existsSync(this.path) ? realpathSync(this.path) : this.path;
    const draft = `${target}.${process.pid}.tmp`;
    try {
      writeFileSync(draft, stringify(this.#document), { mode: 0o600 });
      chmodSync(draft, 0o600);
      renameSync(draft, target);
    } finally {
      rmSync(draft, { force: true });
    }
  }

  #internal(name: string): string | undefined {
    const value = (this.#document[internalTable] as Table | undefined)?.[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  }
}

function read(path: string): Table {
  if (!existsSync(path)) return {};
  try {
    return parse(readFileSync(path, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).path !== undefined) throw error;
    const [line] = String((error as Error).message).split('\n');
    throw new CommandError(`The configuration file ${path} is not TOML: ${line}`, 'Correct it, or remove the file.');
  }
}

const isTable = (value: unknown): value is Table =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
