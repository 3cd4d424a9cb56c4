import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { isClientError } from '../errors/client-error.ts';
import { findPython } from './find-python.ts';

describe('the Python that loads an app', () => {
  let folder: string;
  /** An interpreter that answers as asked, whatever it is asked. */
  const python = (path: string, answer: string): string => {
    const full = join(folder, path);
    mkdirSync(join(full, '..'), { recursive: true });
    writeFileSync(full, `#!/bin/sh\necho "${answer}"\n`, { mode: 0o755 });
    return full;
  };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'lanner-find-python-'));
    mkdirSync(join(folder, 'project/src'), { recursive: true });
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const find = (environment: Record<string, string> = {}, asked?: string) =>
    findPython(join(folder, 'project/src'), { PATH: join(folder, 'bin'), ...environment }, asked);

  test('is that of VIRTUAL_ENV, then of the nearest .venv, then of PATH: the first with fal', async () => {
    const onPath = python('bin/python3', '3 12 1');
    assert.equal((await find()).command, onPath);
    const near = python('project/.venv/bin/python', '3 11 1');
    assert.equal((await find()).command, near);
    const active = python('active/bin/python', '3 10 1');
    assert.equal((await find({ VIRTUAL_ENV: join(folder, 'active') })).command, active);
    python('active/bin/python', '3 10 0');
    assert.equal((await find({ VIRTUAL_ENV: join(folder, 'active') })).command, near, 'without fal it is passed over');
    python('project/.venv/bin/python', '3 9 1');
    assert.equal((await find()).command, onPath, 'too old ones are passed over');
  });

  test('is prepared by uv when none has fal', async () => {
    python('bin/python3', '3 12 0');
    const uv = python('bin/uv', '');
    const found = await find();
    assert.equal(found.command, uv);
    assert.ok(found.args.includes('--with'));
  });

  test('is prepared by pip when none has fal and there is no uv, once', async () => {
    // A Python that makes virtual environments of itself and notes what it is asked for.
    const log = join(folder, 'log');
    const script = `#!/bin/sh
case "$*" in
  *venv*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && echo "venv" >> ${log} ;;
  *pip*) echo "$*" >> ${log} ;;
  *) echo "3 12 0" ;;
esac
`;
    mkdirSync(join(folder, 'bin'));
    writeFileSync(join(folder, 'bin/python3'), script, { mode: 0o755 });
    const told: string[] = [];
    // mkdir and cp are links, so that no other Python is on PATH
    for (const tool of ['mkdir', 'cp']) symlinkSync(`/bin/${tool}`, join(folder, 'bin', tool));
    const environment = { PATH: join(folder, 'bin'), XDG_CACHE_HOME: join(folder, 'cache') };
    const prepare = () =>
      findPython(join(folder, 'project'), environment, undefined, { tell: (text) => told.push(text) });
    const first = await prepare();
    assert.equal(first.from, 'prepared by pip');
    assert.match(first.command, /cache\/lanner\/python-3\.12-.*\/bin\/python$/);
    assert.equal((await prepare()).command, first.command);
    assert.match(readFileSync(log, 'utf8'), /pip install .*fal>=1\.83,<2/);
    assert.equal(told.length, 1);
  });

  test('is only the one asked for when one is asked for', async () => {
    python('bin/python3', '3 12 1');
    python('bin/uv', '');
    const asked = python('mine', '3 12 0');
    await assert.rejects(
      find({}, asked),
      (error) => isClientError(error) && error.code === 'python_not_found' && error.message.includes('has no fal'),
    );
  });

  test('missing altogether is told with all that was looked at', async () => {
    await assert.rejects(find(), (error) => isClientError(error) && /no Python on this machine/.test(error.message));
    const onPath = python('bin/python3', '3 8 1');
    await assert.rejects(
      find(),
      (error) => isClientError(error) && error.message.includes(onPath) && /3\.8/.test(error.message),
    );
  });
});
