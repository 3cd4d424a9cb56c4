import { LannerError } from '@lanner/protocol';
import type { SqlConnection, SqliteConnection } from './sqlite.ts';

/** Most operations in one transaction, so that one commit never blocks the event loop for long. */
const maxOperationsPerCommit = 1_000;

interface QueuedOperation {
  run: (connection: SqlConnection) => unknown;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
}

export interface GroupCommit {
  /**
   * Queues a synchronous operation. All that were queued in one turn of the event loop share one transaction, so one
   * sync to disk; each has a savepoint, so a failing one is undone and rejects alone. Resolves after COMMIT returned:
   * what a caller has seen resolve survives `kill -9` and power loss.
   */
  write<T>(operation: (connection: SqlConnection) => T): Promise<T>;
  /** Commits what is queued, then refuses further writes with `shutting_down`. Idempotent. */
  close(): void;
}

/** Joins single writes into group commits on one connection. The one place that begins and ends transactions. */
export function createGroupCommit(connection: SqliteConnection): GroupCommit {
  let queue: QueuedOperation[] = [];
  let isScheduled = false;
  let isClosed = false;

  const schedule = (): void => {
    if (isScheduled || queue.length === 0) return;
    isScheduled = true;
    // Immediates run after the I/O callbacks of this turn: everything those asked for joins the same commit.
    setImmediate(() => {
      isScheduled = false;
      commitNextBatch();
      schedule();
    });
  };

  const commitNextBatch = (): void => {
    const batch = queue.slice(0, maxOperationsPerCommit);
    queue = queue.slice(maxOperationsPerCommit);
    if (batch.length > 0) commitTogether(connection, batch);
  };

  return {
    write<T>(operation: (connection: SqlConnection) => T): Promise<T> {
      if (isClosed) {
        return Promise.reject(new LannerError('shutting_down', 'The database is closed; the server is stopping.'));
      }
      return new Promise<T>((resolve, reject) => {
        queue.push({ run: operation, resolve: resolve as (value: unknown) => void, reject });
        schedule();
      });
    },
    close() {
      isClosed = true;
      while (queue.length > 0) commitNextBatch();
    },
  };
}

type Outcome = { kind: 'done'; value: unknown } | { kind: 'failed'; error: unknown };

/** Runs the operations in one transaction and settles each once the commit is durable, or all with the commit's error. */
function commitTogether(connection: SqliteConnection, batch: QueuedOperation[]): void {
  let outcomes: Outcome[];
  try {
    connection.exec('BEGIN IMMEDIATE');
    outcomes = batch.map((operation) => runInSavepoint(connection, operation));
    connection.exec('COMMIT');
  } catch (error) {
    if (connection.isInTransaction()) connection.exec('ROLLBACK');
    for (const operation of batch) operation.reject(error);
    return;
  }
  batch.forEach((operation, index) => {
    const outcome = outcomes[index]!;
    if (outcome.kind === 'done') operation.resolve(outcome.value);
    else operation.reject(outcome.error);
  });
}

function runInSavepoint(connection: SqliteConnection, operation: QueuedOperation): Outcome {
  connection.exec('SAVEPOINT operation');
  try {
    const value = operation.run(connection);
    if (value instanceof Promise)
      throw new TypeError('a write operation must be synchronous: its transaction ends with it');
    connection.exec('RELEASE operation');
    return { kind: 'done', value };
  } catch (error) {
    // A full disk or an I/O error makes SQLite end the whole transaction by itself: then nobody's write happened.
    if (!connection.isInTransaction()) throw error;
    connection.exec('ROLLBACK TO operation');
    connection.exec('RELEASE operation');
    return { kind: 'failed', error };
  }
}
