import { LannerError, type Clock, type Timer } from '@lanner/protocol';
import { toDatabaseError, type SqlConnection, type SqliteConnection } from './sqlite.ts';

/** Most operations in one transaction, so that one commit never blocks the event loop for long. */
const maxOperationsPerCommit = 1_000;
/** Writes that nobody waits for are durable after this time at the latest. */
const unhurriedMs = 20;

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
  /**
   * The same for what nothing and nobody waits for: it keeps its place in the order of writes, but joins the next commit instead of making
   * one; without one it is committed after 20 ms.
   */
  writeUnhurried<T>(operation: (connection: SqlConnection) => T): Promise<T>;
  /** Commits what is queued, then refuses further writes with `shutting_down`. Idempotent. */
  close(): void;
}

/** Joins single writes into group commits on one connection. The one place that begins and ends transactions. */
export function createGroupCommit(connection: SqliteConnection, clock: Clock): GroupCommit {
  let queue: QueuedOperation[] = [];
  let isScheduled = false;
  let isClosed = false;
  let unhurried: Timer | null = null;

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
    unhurried?.cancel();
    unhurried = null;
    const batch = queue.slice(0, maxOperationsPerCommit);
    queue = queue.slice(maxOperationsPerCommit);
    if (batch.length > 0) commitTogether(connection, batch);
  };

  const enqueue = <T>(operation: (connection: SqlConnection) => T): Promise<T> => {
    if (isClosed) {
      return Promise.reject(new LannerError('shutting_down', 'The database is closed; the server is stopping.'));
    }
    return new Promise<T>((resolve, reject) => {
      queue.push({ run: operation, resolve: resolve as (value: unknown) => void, reject });
    });
  };

  return {
    write(operation) {
      const written = enqueue(operation);
      schedule();
      return written;
    },
    writeUnhurried(operation) {
      const written = enqueue(operation);
      if (!isScheduled && queue.length > 0) {
        // A process whose last work this is would end before the commit.
        unhurried ??= clock.setTimer(unhurriedMs, schedule, { keepsProcessAlive: true });
      }
      return written;
    },
    close() {
      isClosed = true;
      unhurried?.cancel();
      while (queue.length > 0) commitNextBatch();
    },
  };
}

type Outcome = { kind: 'done'; value: unknown } | { kind: 'failed'; error: unknown };

/** Runs the operations in one transaction and settles each once the commit is durable, or all with the commit's error. */
function commitTogether(connection: SqliteConnection, batch: QueuedOperation[]): void {
  let outcomes: Outcome[];
  try {
    connection.control('BEGIN IMMEDIATE');
    // Alone in its transaction: undoing it is undoing everything.
    outcomes =
      batch.length === 1
        ? [{ kind: 'done', value: runNow(connection, batch[0]!) }]
        : batch.map((operation) => runInSavepoint(connection, operation));
    connection.control('COMMIT');
  } catch (error) {
    if (connection.isInTransaction()) connection.control('ROLLBACK');
    for (const operation of batch) operation.reject(toDatabaseError(error));
    return;
  }
  batch.forEach((operation, index) => {
    const outcome = outcomes[index]!;
    if (outcome.kind === 'done') operation.resolve(outcome.value);
    else operation.reject(toDatabaseError(outcome.error));
  });
}

function runNow(connection: SqliteConnection, operation: QueuedOperation): unknown {
  const value = operation.run(connection);
  if (!(value instanceof Promise)) return value;
  throw new TypeError('a write operation must be synchronous: its transaction ends with it');
}

function runInSavepoint(connection: SqliteConnection, operation: QueuedOperation): Outcome {
  connection.control('SAVEPOINT operation');
  try {
    const value = runNow(connection, operation);
    connection.control('RELEASE operation');
    return { kind: 'done', value };
  } catch (error) {
    // A full disk or an I/O error makes SQLite end the whole transaction by itself: then nobody's write happened.
    if (!connection.isInTransaction()) throw error;
    connection.control('ROLLBACK TO operation');
    connection.control('RELEASE operation');
    return { kind: 'failed', error };
  }
}
