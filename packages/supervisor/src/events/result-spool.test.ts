import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { isLannerError, systemClock } from '@lanner/protocol';
import { createResultSpool } from './result-spool.ts';

describe('the result spool', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lanner-test-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('keeps results over a restart, until they are forgotten', async () => {
    const spool = createResultSpool(folder, systemClock);
    await spool.start();
    const { sink, saved } = spool.receive('run_1');
    sink.write(Buffer.from('abc'));
    sink.write(Buffer.from('def'));
    sink.end();
    await saved;
    const later = createResultSpool(folder, systemClock);
    await later.start();
    const { path, sizeBytes } = await later.find('run_1');
    assert.equal(await readFile(path, 'utf8'), 'abcdef');
    assert.equal(sizeBytes, 6);
    await later.forget('run_1');
    await later.forget('run_1');
    await assert.rejects(later.find('run_1'), (error) => isLannerError(error) && error.code === 'not_found');
  });

  it('shows nothing of a result that was cut off', async () => {
    const spool = createResultSpool(folder, systemClock);
    await spool.start();
    const { sink, saved } = spool.receive('run_1');
    sink.write(Buffer.from('abc'));
    sink.abort();
    await assert.rejects(saved);
    await assert.rejects(spool.find('run_1'));
  });

  it('rejects, and goes on taking bytes, when the disk refuses', async () => {
    const spool = createResultSpool(join(folder, 'missing'), systemClock);
    const { sink, saved } = spool.receive('run_1');
    await assert.rejects(saved);
    assert.equal(sink.write(Buffer.from('more')), true);
    sink.end();
    await sink.whenDrained();
  });

  it('removes what is older than a week and what a crash left half done', async () => {
    await writeFile(join(folder, 'old'), 'x');
    const longAgo = new Date(Date.now() - 8 * 24 * 3_600_000);
    await utimes(join(folder, 'old'), longAgo, longAgo);
    await writeFile(join(folder, 'half.part'), 'x');
    await writeFile(join(folder, 'new'), 'x');
    await createResultSpool(folder, systemClock).start();
    assert.deepEqual(await readdir(folder), ['new']);
  });
});
