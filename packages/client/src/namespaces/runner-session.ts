import type { MessageInitShape } from '@bufbuild/protobuf';
import type { ShellRunnerInputSchema } from '@lanner/protocol/controller';
import { ServerError } from '../errors/client-error.ts';
import type { CallOptions } from '../transport/call-options.ts';
import type { GrpcConnection } from '../transport/grpc-connection.ts';

/**
 * Lines and columns of a terminal.
 *
 * @example
 * ```ts
 * const size: TerminalSize = { height: 24, width: 80 };
 * ```
 */
export interface TerminalSize {
  height: number;
  width: number;
}

/**
 * What a person or program gives to a command in a runner.
 *
 * @example
 * ```ts
 * const options: RunnerSessionOptions = { onOutput: (data, stream) => console.log(stream, data.length) };
 * ```
 */
export interface RunnerSessionOptions extends CallOptions {
  /**
   * Run it under a terminal of its own: echo, line editing, Ctrl-C as a character. Without one bytes go through as they are,
   * and standard error is apart. Default `false` for `exec`, `true` for `shell`.
   */
  tty?: boolean | undefined;
  /** Its standard input, and new sizes of the terminal; its end ends the input. Default: none. */
  input?: AsyncIterable<Uint8Array | TerminalSize> | undefined;
  /** Told of everything it writes. */
  onOutput?: ((data: Uint8Array, stream: 'stdout' | 'stderr') => void) | undefined;
}

/** Most bytes of one message, as the official client sends them. */
const chunkBytes = 4096;

/**
 * Runs a command, or a login shell when there is none, inside a runner. Resolves with its exit code.
 * @internal
 */
export async function runSession(
  rpc: GrpcConnection,
  runnerId: string,
  command: readonly string[] | undefined,
  options: RunnerSessionOptions,
): Promise<number> {
  const tty = options.tty ?? command === undefined;
  const answers = rpc.stream(options, (controller, call) =>
    controller.shellRunner(messages(runnerId, command, tty, options.input), call),
  );
  let wasClosed = false;
  for await (const answer of answers) {
    if (answer.exitCode !== undefined) return answer.exitCode;
    if (answer.data.length > 0) options.onOutput?.(answer.data, answer.stream === 2 ? 'stderr' : 'stdout');
    if (answer.close) {
      wasClosed = true;
      break;
    }
  }
  // An end without exit code: servers close the session of a runner that went away.
  if (wasClosed) return 1;
  throw new ServerError('unexpected_answer', 'The session ended without an exit code.', {
    advice: 'The runner may have ended; `runners.list()` shows those there are.',
  });
}

async function* messages(
  runnerId: string,
  command: readonly string[] | undefined,
  tty: boolean,
  input: AsyncIterable<Uint8Array | TerminalSize> | undefined,
): AsyncGenerator<MessageInitShape<typeof ShellRunnerInputSchema>, void, undefined> {
  yield { runnerId, tty, command: [...(command ?? [])] };
  for await (const part of input ?? []) {
    if (!(part instanceof Uint8Array)) {
      yield { ttySize: { height: part.height, width: part.width } };
      continue;
    }
    for (let at = 0; at < part.length; at += chunkBytes) yield { data: part.subarray(at, at + chunkBytes) };
  }
  // Under a terminal the end of input is a character (Ctrl-D), not the end of the stream.
  if (!tty) yield { close: true };
}
