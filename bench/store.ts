// How many durable writes the store takes, by number of simultaneous writers: each write is one runner key, committed
// with the others of its turn. Run: node bench/store.ts [seconds] (default 3 per line).
// `sync +5 ms` adds 5 ms to every commit, as on disks slower than the one at hand.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@lanner/protocol';
import type { Database } from '../packages/server/src/db/database.ts';
import { createGroupCommit } from '../packages/server/src/db/group-commit.ts';
import { migrate } from '../packages/server/src/db/migrate.ts';
import { migrationsFolder, readMigrations } from '../packages/server/src/db/migrations.ts';
import { openSqlite, useDurableJournal } from '../packages/server/src/db/sqlite.ts';
import { createSqliteAccountStore } from '../packages/server/src/auth/sqlite-account-store.ts';
import { createSqliteKeyStore } from '../packages/server/src/auth/sqlite-key-store.ts';

const seconds = Number(process.argv[2] ?? 3);

interface Result {
  writers: number;
  syncDelayMs: number;
  writesPerSecond: number;
  commitsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
}

async function measure(writers: number, syncDelayMs: number): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'lanner-bench-store-'));
  const connection = openSqlite(join(folder, 'lanner.sqlite'), 0);
  useDurableJournal(connection);
  migrate(connection, readMigrations(migrationsFolder('sqlite')), 0);
  let commits = 0;
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const counting = {
    ...connection,
    control(sql: string) {
      connection.control(sql);
      if (sql !== 'COMMIT') return;
      commits += 1;
      if (syncDelayMs > 0) Atomics.wait(pause, 0, 0, syncDelayMs);
    },
  };
  const group = createGroupCommit(counting, systemClock);
  const database: Database = {
    read: async (operation) => operation(connection),
    write: group.write,
    writeUnhurried: group.writeUnhurried,
    close: async () => undefined,
  };
  const account = await createSqliteAccountStore(database).insert({
    accountId: randomUUID(),
    nickname: 'bench',
    fullName: '',
    isPersonal: true,
    createdAtMs: 0,
  });
  const keys = createSqliteKeyStore(database);

  const key = {
    accountId: account!.accountId,
    secretHash: new Uint8Array(32),
    description: '',
    preset: 'API',
    permissions: [],
    createdAtMs: 0,
  };
  const latenciesMs: number[] = [];
  const startedMs = performance.now();
  const endMs = startedMs + seconds * 1_000;
  const write = async (): Promise<void> => {
    for (let beganMs = performance.now(); beganMs < endMs; beganMs = performance.now()) {
      await keys.insert({ ...key, keyId: randomUUID(), runnerId: 'runner' });
      latenciesMs.push(performance.now() - beganMs);
    }
  };
  commits = 0;
  await Promise.all(Array.from({ length: writers }, write));
  const tookSeconds = (performance.now() - startedMs) / 1_000;
  group.close();
  connection.close();
  rmSync(folder, { recursive: true, force: true });

  latenciesMs.sort((left, right) => left - right);
  const quantile = (share: number): number =>
    Number((latenciesMs[Math.floor(latenciesMs.length * share)] ?? 0).toFixed(2));
  return {
    writers,
    syncDelayMs,
    writesPerSecond: Math.round(latenciesMs.length / tookSeconds),
    commitsPerSecond: Math.round(commits / tookSeconds),
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
  };
}

process.stdout.write(`${process.version}, ${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown CPU'}\n`);
for (const syncDelayMs of [0, 5]) {
  for (const writers of [1, 32, 1_000]) {
    const result = await measure(writers, syncDelayMs);
    process.stdout.write(
      `${String(writers).padStart(5)} writers${syncDelayMs > 0 ? `, sync +${syncDelayMs} ms` : ''}: ` +
        `${result.writesPerSecond} durable writes/s in ${result.commitsPerSecond} commits/s, p50 ${result.p50Ms} ms, p99 ${result.p99Ms} ms\n`,
    );
  }
}
