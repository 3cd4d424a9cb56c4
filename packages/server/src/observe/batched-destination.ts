import { systemClock, type Timer } from '@lanner/protocol';
import { pino } from 'pino';

/** Lines are written when this much has come together … */
const batchBytes = 8_192;
/** … or after this time. */
const flushDelayMs = 100;

/** A reader that takes nothing for that many tries, a tenth of a second apart, has stopped reading. */
const longestTries = 30;
/** What may wait for a slow reader; lines beyond are dropped. */
const mostWaitingBytes = 16 * 1024 ** 2;

/** Where log lines go, with the method behind `logger.flush`. */
export interface BatchedDestination {
  write(line: string): void;
  flush(callback: (error?: Error | null) => void): void;
}

/**
 * A file descriptor that is written without blocking the event loop, and in batches: a write for each line would cost a busy
 * gateway more than the rest of a call. What is gathered is written when the process exits, also by an uncaught error;
 * only `kill -9` loses it. A reader that has stopped reading holds nobody up: a process that ends waits for it three seconds.
 *
 * The timer is armed by a line and not periodic: a server without traffic sleeps.
 *
 * @param fileDescriptor e.g. 2 for standard error.
 */
export function createBatchedDestination(fileDescriptor: number): BatchedDestination {
  let tries = 0;
  const file = pino.destination({
    dest: fileDescriptor,
    sync: false,
    minLength: batchBytes,
    maxLength: mostWaitingBytes,
    retryEAGAIN: () => (tries += 1) < longestTries,
  });
  file.on('write', () => (tries = 0));
  file.on('error', () => {}); // there is no other place to tell it
  const flushSync = file.flushSync.bind(file);
  file.flushSync = () => {
    try {
      flushSync();
    } catch {
      // Called while the process ends, by pino.
    }
  };
  let timer: Timer | null = null;
  return {
    write(line) {
      file.write(line);
      timer ??= systemClock.setTimer(flushDelayMs, () => {
        timer = null;
        file.flush();
      });
    },
    flush: (callback) => file.flush(callback),
  };
}
