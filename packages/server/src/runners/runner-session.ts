import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import {
  encodeSessionFrame,
  errorCatalogue,
  LannerError,
  SessionFrameParser,
  sessionProtocol,
  type SessionOrder,
  type SessionSize,
  type SupervisorErrorBody,
} from '@lanner/protocol';

/** What a command in a runner says; the exit code is the last thing. */
export type SessionOutput = { stream: 'stdout' | 'stderr'; data: Uint8Array } | { exitCode: number };

/** A command that runs in a runner, beside its app. */
export interface RunnerSession {
  /**
   * To be read once; whoever reads slowly slows the command down.
   * @throws LannerError `runner_not_found`, `session_failed`, `supervisor_unavailable`.
   */
  output: AsyncIterable<SessionOutput>;
  /** Resolves when more may be written. */
  write(data: Uint8Array): Promise<void>;
  endInput(): void;
  resize(size: SessionSize): void;
  /** Ends the command. Idempotent. */
  close(): void;
}

const longestHeadBytes = 16 * 1024;
const endOfHead = '\r\n\r\n';

/** Runs a command in a runner through its supervisor. What goes wrong is told by reading its output. */
export function openRunnerSession(socketPath: string, runnerId: string, order: SessionOrder): RunnerSession {
  const socket = connect(socketPath);
  socket.on('error', () => {}); // the end of the output tells
  socket.write(
    `GET /v1/runners/${encodeURIComponent(runnerId)}/session HTTP/1.1\r\nhost: supervisor\r\nconnection: upgrade\r\nupgrade: ${sessionProtocol}\r\n\r\n`,
  );
  socket.write(encodeSessionFrame('open', order));
  return {
    output: readOutput(socket),
    async write(data) {
      if (socket.write(encodeSessionFrame('input', data)) || socket.destroyed) return;
      await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => undefined);
    },
    endInput: () => void socket.write(encodeSessionFrame('endOfInput')),
    resize: (size) => void socket.write(encodeSessionFrame('resize', size)),
    close: () => void socket.destroy(),
  };
}

async function* readOutput(socket: Socket): AsyncGenerator<SessionOutput> {
  const parser = new SessionFrameParser();
  let head: Buffer | null = Buffer.alloc(0);
  try {
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      let bytes = chunk;
      if (head !== null) {
        head = Buffer.concat([head, chunk]);
        const end = head.indexOf(endOfHead);
        if (end === -1 && head.length <= longestHeadBytes) continue;
        if (end === -1 || !head.toString('latin1').startsWith('HTTP/1.1 101 ')) throw unavailable();
        bytes = head.subarray(end + endOfHead.length);
        head = null;
      }
      for (const { kind, payload } of parser.feed(bytes)) {
        if (kind === 'stdout' || kind === 'stderr') yield { stream: kind, data: payload };
        if (kind === 'refusal') throw toError(JSON.parse(payload.toString()) as SupervisorErrorBody);
        if (kind === 'exit') return yield { exitCode: (JSON.parse(payload.toString()) as { code: number }).code };
      }
    }
  } catch (error) {
    throw error instanceof LannerError ? error : unavailable(error);
  } finally {
    socket.destroy();
  }
  throw unavailable();
}

function toError({ code, message }: SupervisorErrorBody): LannerError {
  return new LannerError(Object.hasOwn(errorCatalogue, code) ? code : 'internal_error', message);
}

function unavailable(cause?: unknown): LannerError {
  return new LannerError('supervisor_unavailable', 'The supervisor ended the session before the command had ended.', {
    cause,
  });
}
