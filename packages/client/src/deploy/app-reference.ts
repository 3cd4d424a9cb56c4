import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parse } from 'smol-toml';
import { ConfigurationError, DeployError } from '../errors/client-error.ts';

/**
 * What a caller may name an app by: `file.py`, `file.py::Class`, a name from pyproject.toml, or file and class.
 *
 * @example
 * ```ts
 * const references: AppReference[] = ['app.py', 'app.py::MyApp', ['app.py', 'MyApp'], 'name-in-pyproject'];
 * ```
 */
export type AppReference = string | readonly [file: string, name: string | undefined];

/** An app that was named, understood. */
export type ResolvedReference =
  | { kind: 'file'; path: string; name: string | undefined }
  /** An entry of `[tool.fal.apps]` in the project of the working directory. */
  | { kind: 'project'; name: string };

/**
 * Reads a reference. Without one the project's pyproject.toml decides when it defines exactly one app, else the only `*.py`
 * of the folder.
 * @param cwd absolute folder that relative paths start from
 * @throws ConfigurationError or DeployError: `invalid_reference`, `file_not_found`, `several_apps`, `typescript_app`
 */
export function resolveReference(reference: AppReference | undefined, cwd: string): ResolvedReference {
  if (reference === undefined || reference === '') return discover(cwd);
  const [location, name] = typeof reference === 'string' ? splitReference(reference) : reference;
  if (typeof location !== 'string' || location === '' || name === '') {
    throw new ConfigurationError('invalid_reference', `"${String(reference)}" names no app.`, {
      advice: 'Give "file.py", "file.py::Class", or the name of an app in pyproject.toml.',
    });
  }
  if (/\.[cm]?[jt]sx?$/.test(location)) {
    throw new DeployError(
      'typescript_app',
      `${location} is an app in TypeScript or JavaScript, which cannot be deployed yet.`,
      {
        advice: 'Apps in TypeScript come with a package of their own; until then deploy Python apps.',
      },
    );
  }
  if (name === undefined && !location.endsWith('.py')) return { kind: 'project', name: location };
  const path = resolve(cwd, location);
  if (!existsSync(path)) {
    throw new DeployError('file_not_found', `There is no file ${path}.`, {
      advice: `Relative paths start from ${cwd}. ${nearbyFiles(dirname(path))}`.trim(),
    });
  }
  return { kind: 'file', path, name };
}

/** `file.py::Name` → file and name; `::` counts from the third character on. */
export function splitReference(reference: string): [location: string, name: string | undefined] {
  const at = reference.indexOf('::');
  return at > 1 ? [reference.slice(0, at), reference.slice(at + 2)] : [reference, undefined];
}

/**
 * Fails when a project reference cannot be found, before Python is asked, and says what there is.
 * @throws DeployError `pyproject_invalid`
 */
export function checkProjectApp(name: string, cwd: string): void {
  const project = findProject(cwd);
  if (project === undefined) {
    throw new DeployError('pyproject_invalid', `There is no app "${name}": no pyproject.toml was found above ${cwd}.`, {
      advice: 'Name a file, e.g. "app.py::MyApp", or go into the folder of the project.',
    });
  }
  const apps = appNames(project);
  if (apps.includes(name)) return;
  throw new DeployError('pyproject_invalid', `There is no app "${name}" in ${project}.`, {
    advice:
      apps.length > 0
        ? `It defines ${apps.map((app) => `"${app}"`).join(', ')}.`
        : 'It defines none: add a table [tool.fal.apps.<name>], or name a file.',
    details: { candidates: apps },
  });
}

function discover(cwd: string): ResolvedReference {
  const project = findProject(cwd);
  const apps = project === undefined ? [] : appNames(project);
  const [only] = apps;
  if (only !== undefined && apps.length === 1) return { kind: 'project', name: only };
  if (apps.length > 1) {
    throw new DeployError('several_apps', `${project} defines ${apps.length} apps: ${apps.join(', ')}.`, {
      advice: 'Name the one to deploy.',
      details: { candidates: apps },
    });
  }
  const files = readdirSync(cwd)
    .filter((name) => name.endsWith('.py'))
    .sort();
  const [file] = files;
  if (file !== undefined && files.length === 1) return { kind: 'file', path: join(cwd, file), name: undefined };
  throw new DeployError(
    'invalid_reference',
    files.length === 0
      ? `There is no pyproject.toml with [tool.fal.apps] above ${cwd}, and no Python file in it.`
      : `${cwd} holds ${files.length} Python files: ${files.join(', ')}.`,
    { advice: 'Name the app to deploy, e.g. "app.py::MyApp".', details: { candidates: files } },
  );
}

/** The pyproject.toml of the project: of the first folder upwards with `.git` or a `[tool.fal]` table. */
export function findProject(cwd: string): string | undefined {
  for (let folder = resolve(cwd); ; folder = dirname(folder)) {
    const path = join(folder, 'pyproject.toml');
    const exists = existsSync(path);
    if (exists && falTable(path) !== undefined) return path;
    if (existsSync(join(folder, '.git'))) return exists ? path : undefined;
    if (folder === dirname(folder)) return undefined;
  }
}

function appNames(path: string): string[] {
  const apps = falTable(path)?.['apps'];
  return typeof apps === 'object' && apps !== null ? Object.keys(apps) : [];
}

function falTable(path: string): Record<string, unknown> | undefined {
  let document: Record<string, unknown>;
  try {
    document = parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new DeployError(
      'pyproject_invalid',
      `${path} cannot be read: ${String((error as Error).message).split('\n')[0]}`,
      {
        cause: error,
      },
    );
  }
  return (document['tool'] as { fal?: Record<string, unknown> } | undefined)?.fal;
}

function nearbyFiles(folder: string): string {
  const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.py')) : [];
  return files.length === 0 ? '' : `${folder} holds ${files.slice(0, 10).join(', ')}.`;
}
