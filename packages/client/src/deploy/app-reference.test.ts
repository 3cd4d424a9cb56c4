import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { isClientError } from '../errors/client-error.ts';
import { checkProjectApp, findProject, resolveReference, splitReference } from './app-reference.ts';

const code = (wanted: string) => (error: unknown) => isClientError(error) && error.code === wanted;

describe('references to apps', () => {
  let folder: string;
  const write = (name: string, text = ''): string => {
    const path = join(folder, name);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, text);
    return path;
  };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'lanner-reference-'));
    mkdirSync(join(folder, '.git'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test('are split at the first :: from the third character on', () => {
    assert.deepEqual(splitReference('app.py::One'), ['app.py', 'One']);
    assert.deepEqual(splitReference('app.py::One::Two'), ['app.py', 'One::Two']);
    assert.deepEqual(splitReference('a::B'), ['a::B', undefined]);
    assert.deepEqual(splitReference('app.py'), ['app.py', undefined]);
  });

  test('are a file with or without a name, a pair, or an app of the project', () => {
    const path = write('app.py');
    assert.deepEqual(resolveReference('app.py', folder), { kind: 'file', path, name: undefined });
    assert.deepEqual(resolveReference('app.py::One', folder), { kind: 'file', path, name: 'One' });
    assert.deepEqual(resolveReference(['app.py', 'One'], folder), { kind: 'file', path, name: 'One' });
    for (const name of ['my-app', 'dir/thing', 'app.txt']) {
      assert.deepEqual(resolveReference(name, folder), { kind: 'project', name });
    }
  });

  test('to an app of no project, or that the project does not have, say what there is', () => {
    assert.throws(() => checkProjectApp('my-app', folder), /no pyproject\.toml was found/);
    write('pyproject.toml', '[tool.fal.apps.one]\nref = "one.py"\n');
    checkProjectApp('one', folder);
    assert.throws(
      () => checkProjectApp('two', folder),
      (error) => code('pyproject_invalid')(error) && /"one"/.test((error as { advice: string }).advice),
    );
  });

  test('that lead nowhere say so', () => {
    write('near.py');
    assert.throws(
      () => resolveReference('far.py', folder),
      (error) => code('file_not_found')(error) && /near\.py/.test((error as { advice: string }).advice),
    );
    assert.throws(() => resolveReference('dir/thing::X', folder), code('file_not_found'));
    assert.throws(() => resolveReference('app.py::', folder), code('invalid_reference'));
    for (const name of ['app.ts', 'app.js', 'app.mts::X'])
      assert.throws(() => resolveReference(name, folder), code('typescript_app'));
  });

  test('left out mean the only app of the project, then the only file of the folder', () => {
    assert.throws(() => resolveReference(undefined, folder), code('invalid_reference'));
    const path = write('only.py');
    assert.deepEqual(resolveReference(undefined, folder), { kind: 'file', path, name: undefined });
    write('pyproject.toml', '[tool.fal.apps.one]\nref = "only.py"\n');
    assert.deepEqual(resolveReference('', folder), { kind: 'project', name: 'one' });
    write('pyproject.toml', '[tool.fal.apps]\none = { ref = "a.py" }\ntwo = { ref = "b.py" }\n');
    assert.throws(() => resolveReference(undefined, folder), code('several_apps'));
    write('pyproject.toml', '[tool.other]\n');
    write('second.py');
    assert.throws(() => resolveReference(undefined, folder), code('invalid_reference'));
    write('pyproject.toml', '[tool.fal\n');
    assert.throws(() => resolveReference(undefined, folder), code('pyproject_invalid'));
  });

  test('projects end at .git or at a table of fal', () => {
    mkdirSync(join(folder, 'a/b'), { recursive: true });
    assert.equal(findProject(join(folder, 'a/b')), undefined);
    const inside = write('a/pyproject.toml', '[tool.fal]\n');
    assert.equal(findProject(join(folder, 'a/b')), inside);
  });
});
