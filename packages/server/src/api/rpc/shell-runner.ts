import type { MessageInitShape } from '@bufbuild/protobuf';
import { LannerError, type SessionOrder } from '@lanner/protocol';
import type { ShellRunnerInput, ShellRunnerOutputSchema } from '@lanner/protocol/controller';
import type { RunnerSession } from '../../runners/runner-session.ts';
import type { ControllerDeps } from './controller-deps.ts';
import type { ControllerPart } from './controller-part.ts';
import { rpcCall } from './rpc-call.ts';
import { sayingNotFound } from './runners.ts';

const errorStream = 2;

/** A command or a shell beside the app of a runner, which is kept meanwhile (grpc-controller 3.7, ShellRunner). */
export function createShellMethods(deps: Pick<ControllerDeps, 'fleet' | 'driver'>): ControllerPart<'shellRunner'> {
  return {
    async *shellRunner(messages, context) {
      const { principal, signal } = rpcCall(context);
      const inputs = messages[Symbol.asyncIterator]();
      const first = await inputs.next();
      const runnerId = first.done === true ? '' : first.value.runnerId;
      if (first.done === true || runnerId === '') {
        throw new LannerError('invalid_argument', 'The first message has to name the runner.');
      }
      const release = await sayingNotFound(runnerId, () => deps.fleet.holdRunner(principal.accountId, runnerId));
      try {
        yield* converse(deps.driver.openSession(runnerId, toOrder(first.value)), first.value, inputs, signal);
      } finally {
        release();
      }
    },
  };
}

/** A session from its first message to its exit code; a client that breaks off ends it. */
async function* converse(
  session: RunnerSession,
  first: ShellRunnerInput,
  inputs: AsyncIterator<ShellRunnerInput>,
  signal: AbortSignal,
): AsyncGenerator<MessageInitShape<typeof ShellRunnerOutputSchema>> {
  const close = (): void => session.close();
  signal.addEventListener('abort', close, { once: true });
  if (signal.aborted) close();
  try {
    // A client that breaks off ends the session: the signal says so.
    void feed(session, first, inputs).catch(() => undefined);
    for await (const said of session.output) {
      if ('exitCode' in said) yield { exitCode: said.exitCode };
      else if (said.stream === 'stderr') yield { data: said.data, stream: errorStream };
      else yield { data: said.data };
    }
  } finally {
    signal.removeEventListener('abort', close);
    session.close();
  }
}

/** Unset `tty` is what older clients send, which have a terminal in mind. */
function toOrder({ command, tty, ttySize }: ShellRunnerInput): SessionOrder {
  const size = ttySize === undefined ? {} : { size: toSize(ttySize) };
  return { command, tty: tty ?? true, ...size };
}

async function feed(
  session: RunnerSession,
  first: ShellRunnerInput,
  rest: AsyncIterator<ShellRunnerInput>,
): Promise<void> {
  for (let message: ShellRunnerInput | undefined = first; message !== undefined;) {
    if (message !== first && message.ttySize !== undefined) session.resize(toSize(message.ttySize));
    if (message.data.length > 0) await session.write(message.data);
    if (message.close) break;
    const next: IteratorResult<ShellRunnerInput> = await rest.next();
    message = next.done === true ? undefined : next.value;
  }
  session.endInput();
  // What comes behind the end of input is read, so that a client is not held up.
  while ((await rest.next()).done !== true);
}

const toSize = ({ height, width }: { height: number; width: number }): { rows: number; columns: number } => ({
  rows: Math.min(Math.max(height, 1), 10_000),
  columns: Math.min(Math.max(width, 1), 10_000),
});
