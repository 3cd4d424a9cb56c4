import { createRequire } from 'node:module';
import type { Json } from '@lanner/protocol';
import { buildFailed, isPresent, oldestPythonMinor, parseText, shown } from './definition-values.ts';
import { maxRequirements, parseRequirementLines } from './requirement-lines.ts';

/** What a conda environment is made of. */
export interface CondaParts {
  /** Names or http(s) addresses, the most important first. At least one. */
  channels: string[];
  /** Specifications for conda, e.g. `numpy=1.26`, `conda-forge::gdal`; the one of Python is the last. */
  packages: string[];
  /** Lines of a requirements file, installed afterwards. */
  pip: string[];
}

type JsonObject = { [key: string]: Json };

/** Channels are searched in this one when a definition names none: a default of the tools would depend on the machine. */
const defaultChannel = 'conda-forge';
/** A file of several hundred packages has a third of it. Hostile text of this length takes the parser 0.1 s. */
const maxYamlChars = 32 * 1024;
/** They say where an environment lies, which is the platform's to decide. */
const ignoredKeys = new Set(['name', 'prefix']);

/**
 * Reads the keys of kind `conda` (grpc-controller 3.2.1) the way isolate does: the base is `env_dict`, else `env_yml_str`, else
 * `packages`; `pip` and `channels` are added to it, and Python of the definition's version.
 * @throws LannerError `build_failed` with a sentence for the user.
 */
export function parseConda(configuration: JsonObject, pythonVersion: string | undefined): CondaParts {
  const base = readBase(configuration);
  for (const key of Object.keys(base)) {
    if (key === 'variables') {
      throw buildFailed(
        'The conda environment sets `variables`, which only an activated environment has. Set them as secrets (`fal secrets set`) or in the code.',
      );
    }
    if (key !== 'channels' && key !== 'dependencies' && !ignoredKeys.has(key))
      throw buildFailed(
        `The conda environment has the unknown key ${shown(key)}. Known are channels, dependencies, name, prefix.`,
      );
  }
  const { packages, pip: pipOfBase } = readDependencies(listOf(base['dependencies'], 'dependencies'));
  const pip = [...pipOfBase, ...listOf(configuration['pip'], 'pip')];
  const channels = [...listOf(base['channels'], 'channels'), ...listOf(configuration['channels'], 'channels')];
  if (packages.length + pip.length + channels.length > maxRequirements)
    throw buildFailed(`The environment lists more than ${maxRequirements} packages and channels.`);
  // `nodefaults` only says that nothing is added to the list, and nothing is.
  const named = [...new Set(channels.map(readChannel))].filter((channel) => channel !== 'nodefaults');
  return {
    channels: named.length === 0 ? [defaultChannel] : named,
    packages: [...packages.map(readPackage), pythonPackage(pythonVersion)],
    pip: parseRequirementLines(pip),
  };
}

function readBase(configuration: JsonObject): JsonObject {
  const { env_dict: dict, env_yml_str: yaml, packages } = configuration;
  if (isPresent(dict)) return objectOf(dict, 'env_dict');
  if (isPresent(yaml)) return objectOf(parseYaml(yaml), 'env_yml_str');
  if (isPresent(packages)) return { dependencies: packages };
  throw buildFailed("Either 'env_dict', 'env_yml_str' or 'packages' must be specified for a conda environment.");
}

function parseYaml(text: Json): Json {
  if (typeof text !== 'string') throw buildFailed(`env_yml_str is not a string: ${shown(text)}`);
  if (text.length > maxYamlChars) throw buildFailed(`env_yml_str is longer than ${maxYamlChars} characters.`);
  // Loaded by the few who need it: it costs every start of a supervisor 25 ms.
  const { parse } = createRequire(import.meta.url)('yaml') as typeof import('yaml');
  try {
    // Aliases are how a small text becomes a huge one, and environment files have no use for them. Looking for keys that stand
    // twice takes minutes when there are many; Python's parser lets the last one win as well.
    return parse(text, { maxAliasCount: 0, uniqueKeys: false, logLevel: 'error' }) as Json;
  } catch (error) {
    const [reason] = (error instanceof Error ? error.message : String(error)).split('\n');
    throw buildFailed(`env_yml_str cannot be read as YAML without aliases: ${reason!.replace(/:$/, '')}.`);
  }
}

function objectOf(value: Json, name: string): JsonObject {
  if (!isObject(value))
    throw buildFailed(`${name} is not a conda environment with channels and dependencies: ${shown(value)}`);
  return value;
}

function listOf(value: Json | undefined, name: string): Json[] {
  if (!isPresent(value)) return [];
  if (!Array.isArray(value)) throw buildFailed(`The ${name} of the conda environment are not a list: ${shown(value)}`);
  return value;
}

function readDependencies(dependencies: readonly Json[]): { packages: Json[]; pip: Json[] } {
  return {
    packages: dependencies.filter((dependency) => !isObject(dependency)),
    pip: dependencies.filter(isObject).flatMap(readPipPart),
  };
}

function readPipPart(dependency: JsonObject): Json[] {
  if (Object.keys(dependency).some((key) => key !== 'pip'))
    throw buildFailed(`A dependency of the conda environment is neither a package nor \`pip\`: ${shown(dependency)}`);
  return listOf(dependency['pip'], 'pip');
}

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readChannel(value: Json): string {
  const channel = parseText(value, 'channel');
  if (/^[A-Za-z0-9_][\w.-]*(\/[\w.-]+)*$/.test(channel) || /^https?:\/\/[^\s'"]+$/i.test(channel)) return channel;
  throw buildFailed(
    `A channel is neither a name such as conda-forge nor an http address: ${shown(channel)}. Folders of the machine cannot be seen by a build.`,
  );
}

function readPackage(value: Json): string {
  const spec = parseText(value, 'package');
  if (!/^[A-Za-z0-9_]/.test(spec) || /file:/i.test(spec))
    throw buildFailed(`A package is no specification for conda: ${shown(spec)}. Use e.g. numpy or numpy=1.26.`);
  // A name ends where a version or a bracket begins: python-dateutil is another package.
  if (/^(.*::)?python(?![\w.-])/i.test(spec.replaceAll(' ', '')))
    throw buildFailed(
      `The conda environment lists ${shown(spec)}. Leave Python out and set python_version instead: it has to be the client's.`,
    );
  return spec;
}

function pythonPackage(version: string | undefined): string {
  if (version === undefined) return `python>=3.${oldestPythonMinor}`;
  if (Number(version.split('.')[1]) < oldestPythonMinor)
    throw buildFailed(`Python ${version} is too old: apps run with 3.${oldestPythonMinor} or later.`);
  return `python=${version}`;
}
