import { createHash } from 'node:crypto';
import type { EnvironmentDefinition, Json } from '@lanner/protocol';
import { parseConda, type CondaParts } from './conda-definition.ts';
import { buildFailed, isPresent, parsePythonVersion, shown } from './definition-values.ts';
import { maxRequirements, parseRequirementLines } from './requirement-lines.ts';

/** What an environment is made of, read from the client's definition. */
export type EnvironmentSpec = VirtualenvSpec | CondaSpec;

interface Identified {
  /** Content hash: equal definitions have equal ids, whoever asks. Trees are shared within an account only. */
  id: string;
  /** `3.11` or `3.11.7`; undefined = the supervisor's own, for conda the newest that its channels have. */
  pythonVersion: string | undefined;
}

export interface VirtualenvSpec extends Identified {
  kind: 'virtualenv';
  /** Requirement lines per install layer, in order. At least one layer, possibly empty. */
  layers: string[][];
}

export interface CondaSpec extends Identified, CondaParts {
  kind: 'conda';
}

/** Raised whenever the way of building changes, so that old trees are not taken for new ones. */
const builderVersions = { virtualenv: 1, conda: 1 };

/**
 * Reads a definition (grpc-controller 3.2.1): kinds `virtualenv`, `conda`, and `container` without an image, which is the
 * platform's default and built like a virtualenv.
 * @throws LannerError `build_failed` with a sentence for the user when this cannot be built here.
 */
export function parseEnvironment(definition: EnvironmentDefinition): EnvironmentSpec {
  const { kind, configuration } = definition;
  if (kind === 'conda') {
    const pythonVersion = parsePythonVersion(configuration['python_version']);
    const parts = parseConda(configuration, pythonVersion);
    const identity = ['conda', builderVersions.conda, pythonVersion ?? null, parts.channels, parts.packages, parts.pip];
    return { kind: 'conda', id: hash(identity), pythonVersion, ...parts };
  }
  if (kind !== 'virtualenv' && kind !== 'container')
    throw buildFailed(`Unknown environment kind: ${String(kind).slice(0, 80)}`);
  if (kind === 'container' && isPresent(configuration['image'])) {
    throw buildFailed(
      'Container images need a container engine, and this version runs none. Leave out the image and name its packages as requirements.',
    );
  }
  const resolver = configuration['resolver'];
  if (isPresent(resolver) && resolver !== 'uv' && resolver !== 'pip')
    throw buildFailed(`Unknown resolver: ${shown(resolver)}. Use uv.`);
  const pythonVersion = parsePythonVersion(configuration['python_version']);
  const layers = parseLayers(configuration['requirements']);
  const id = hash([builderVersions.virtualenv, pythonVersion ?? null, layers]);
  return { kind: 'virtualenv', id, pythonVersion, layers };
}

function hash(identity: Json): string {
  return createHash('sha256').update(JSON.stringify(identity)).digest('hex');
}

function parseLayers(value: Json | undefined): string[][] {
  if (!isPresent(value)) return [[]];
  if (!Array.isArray(value)) throw buildFailed('The requirements of the environment are not a list.');
  const layers = value.some(Array.isArray) ? value : [value];
  let left = maxRequirements;
  return layers.map((layer) => {
    if (!Array.isArray(layer))
      throw buildFailed('The requirements mix strings and lists; use one list, or a list of lists.');
    left -= layer.length;
    if (left < 0) throw buildFailed(`The environment lists more than ${maxRequirements} requirements.`);
    return parseRequirementLines(layer);
  });
}
