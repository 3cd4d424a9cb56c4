import type { Clock } from '@lanner/protocol';
import type { RunnerAddress, UpstreamReceiver, UpstreamTransport } from './upstream/upstream-transport.ts';

export interface CancelInput {
  transport: UpstreamTransport;
  clock: Clock;
  runner: RunnerAddress;
  /** Path of the request to be cancelled, as the app saw it. */
  path: string;
  requestId: string;
  endpoint: string;
  timeoutMs: number;
  /** Called once, when the app has answered in whatever way or the time is over. */
  onDone: () => void;
}

/**
 * Tells a runner that nobody waits for a request any more: POST to the original path + `/cancel` with the same request id
 * (data-plane 2.5). Best effort: most apps have no such route, and their 404 is as good as any answer.
 */
export function cancelOnRunner(input: CancelInput): void {
  const { transport, clock, runner, path, requestId, endpoint, timeoutMs, onDone } = input;
  let isDone = false;
  const finish = (): void => {
    if (isDone) return;
    isDone = true;
    timer.cancel();
    onDone();
  };
  const receiver: UpstreamReceiver = {
    onHead() {},
    onData() {},
    onEnd: finish,
    onFailure: finish,
  };
  const exchange = transport.send(
    runner,
    {
      method: 'POST',
      path: `${path.endsWith('/') ? path.slice(0, -1) : path}/cancel`,
      headers: ['x-fal-request-id', requestId, 'x-fal-endpoint', endpoint, 'content-length', '0'],
      body: null,
    },
    receiver,
  );
  const timer = clock.setTimer(timeoutMs, () => {
    exchange.abort();
    finish();
  });
}
