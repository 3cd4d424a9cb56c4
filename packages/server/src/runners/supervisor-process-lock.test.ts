import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { DatabaseSync } from 'node:sqlite';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { isLannerError, systemClock } from '@lanner/protocol';
import { pino } from 'pino';
import { defaultSupervisorPatience } from './supervisor-patience.ts';
import { createSupervisorProcess } from './supervisor-process.ts';

const supervisorEntry = fileURLToPath(new URL('../../../supervisor/src/main.ts', import.meta.url));

describe('a data folder whose supervisor cannot be talked to yet', () => {
  let dataDir: string;
  let lock: DatabaseSync;
  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'lanner-lock-'));
    await mkdir(join(dataDir, 'run'), { mode: 0o700 });
  });
  after(() => rm(dataDir, { recursive: true, force: true }));

  const supervisorProcess = (adoptionMs: number) =>
    createSupervisorProcess({
      ...{ dataDir, supervisorEntry, clock: systemClock, log: pino({ level: 'silent' }) },
      patience: { ...defaultSupervisorPatience, adoptionMs },
    });
  const hold = (): void => {
    lock = new DatabaseSync(join(dataDir, 'run/supervisor.lock'));
    lock.exec('BEGIN EXCLUSIVE');
  };

  it('is waited for, and not longer than said', async () => {
    hold();
    try {
      await assert.rejects(
        supervisorProcess(300).ensure(new AbortController().signal),
        (error) => isLannerError(error) && /Another supervisor uses this data folder/.test(error.message),
      );
    } finally {
      lock.close();
    }
  });

  it('gets a supervisor once the other one has ended', async () => {
    hold();
    const attempt = supervisorProcess(20_000);
    const starting = attempt.ensure(new AbortController().signal);
    const timer = setTimeout(() => lock.close(), 1_000);
    try {
      const session = await starting;
      assert.equal(session.adopted, false);
      await attempt.end(session, 0);
    } finally {
      clearTimeout(timer);
    }
  });
});
