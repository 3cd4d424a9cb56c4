import { MessageChannel } from 'node:worker_threads';

/**
 * Keeps this process alive until released, where it waits for something that the event loop does not count: another
 * process, or a timer of the clock.
 * @returns releases it; idempotent.
 */
export function holdProcess(): () => void {
  const { port1 } = new MessageChannel();
  // Listening is what makes a port count.
  port1.on('message', () => undefined);
  return () => port1.close();
}
