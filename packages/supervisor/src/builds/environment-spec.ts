import { createHash } from 'node:crypto';
import { LannerError, type EnvironmentDefinition, type Json } from '@lanner/protocol';

/** What a virtual environment is made of, read from the client's definition. */
export interface EnvironmentSpec {
  /** Content hash: equal definitions have equal ids, whoever asks. Trees are shared within an account only. */
  id: string;
  /** `3.11` or `3.11.7`; undefined = the supervisor's own. */
  pythonVersion: string | undefined;
  /** Requirement lines per install layer, in order. At least one layer, possibly empty. */
  layers: string[][];
}

/** Raised whenever the way of building changes, so that old trees are not taken for new ones. */
const builderVersion = 1;
const maxRequirementChars = 4096;
const maxRequirements = 2000;
/** Options that take the following string as their value when it was sent as a string of its own. */
const optionsWithValue = new Set([
  '-i',
  '--index-url',
  '--extra-index-url',
  '-f',
  '--find-links',
  '--no-binary',
  '--only-binary',
  '-c',
  '--constraint',
  '-r',
  '--requirement',
]);

/**
 * Reads a definition (grpc-controller 3.2.1): kinds `virtualenv`, and `container` without an image, which is the
 * platform's default and built the same way.
 *
 * A requirement is a line of a requirements file: any specifier, URL or `git+…`, and also an option such as
 * `--extra-index-url URL`, in one string or two. Options are allowed because builds run in the sandbox, where they reach
 * nothing that the code of a source distribution could not reach.
 * @throws LannerError `build_failed` with a sentence for the user when this cannot be built here.
 */
export function parseEnvironment(definition: EnvironmentDefinition): EnvironmentSpec {
  const { kind, configuration } = definition;
  if (kind === 'conda') {
    throw buildFailed(
      'Environments of kind conda need conda or micromamba and a builder for them, which this version does not have yet. ' +
        'Use kind virtualenv and name the packages as requirements: most of them are on PyPI too.',
    );
  }
  if (kind !== 'virtualenv' && kind !== 'container')
    throw buildFailed(`Unknown environment kind: ${String(kind).slice(0, 80)}`);
  if (kind === 'container' && isPresent(configuration['image'])) {
    throw buildFailed(
      'Container images need a container engine, and this version runs none. Leave out the image and name its packages as requirements.',
    );
  }
  const resolver = configuration['resolver'];
  if (isPresent(resolver) && resolver !== 'uv' && resolver !== 'pip') {
    throw buildFailed(`Unknown resolver: ${JSON.stringify(resolver).slice(0, 80)}. Use uv.`);
  }
  const pythonVersion = parsePythonVersion(configuration['python_version']);
  const layers = parseLayers(configuration['requirements']);
  const identity = JSON.stringify([builderVersion, pythonVersion ?? null, layers]);
  return { id: createHash('sha256').update(identity).digest('hex'), pythonVersion, layers };
}

function parsePythonVersion(value: Json | undefined): string | undefined {
  if (!isPresent(value)) return undefined;
  if (typeof value !== 'string' || !/^3(\.\d{1,3}){1,2}$/.test(value)) {
    throw buildFailed(`Python version ${JSON.stringify(value).slice(0, 80)} is not of the form 3.N or 3.N.N.`);
  }
  return value;
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
    return joinOptions(layer.map(parseRequirement).filter((line) => line !== ''));
  });
}

function parseRequirement(value: Json): string {
  if (typeof value !== 'string')
    throw buildFailed(`A requirement is not a string: ${JSON.stringify(value).slice(0, 80)}`);
  if (value.length > maxRequirementChars)
    throw buildFailed(`A requirement is longer than ${maxRequirementChars} characters.`);
  // One string, one line: a line break or a continuation would smuggle in another.
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f\u2028\u2029]/.test(value.trim()) || value.endsWith('\\')) {
    throw buildFailed(`A requirement holds a control character or line break: ${JSON.stringify(value).slice(0, 80)}`);
  }
  return value.trim();
}

function joinOptions(lines: readonly string[]): string[] {
  const joined: string[] = [];
  for (const line of lines) {
    const previous = joined.at(-1);
    if (previous !== undefined && optionsWithValue.has(previous)) joined[joined.length - 1] = `${previous} ${line}`;
    else joined.push(line);
  }
  return joined;
}

function isPresent(value: Json | undefined): value is Exclude<Json, null> {
  return value !== undefined && value !== null;
}

function buildFailed(message: string): LannerError {
  return new LannerError('build_failed', message);
}
