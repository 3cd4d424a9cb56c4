import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { ConnectionError, DeployError } from '../errors/client-error.ts';
import type { Environment } from '../resolve/environment.ts';
import type { PythonCommand } from './find-python.ts';
import { decodeFrames, encodeFrame, type Frame } from './frames.ts';

/** What the loader is asked to do. */
export type LoaderRequest = Record<string, unknown> & { action: 'deploy' | 'run' };

/** What the loader asks for on its way. */
export interface LoaderHandlers {
  /** Makes a gRPC call: yields the messages of the answer. Throwing a {@link LoaderCallError} fails the call in Python. */
  call(method: string, payload: Uint8Array, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** Told what was loaded; nothing goes on before it returns, and nothing at all when it throws. */
  loaded(header: Frame['header']): Promise<void>;
  /** Returns when the files are at the server. */
  upload(files: unknown[]): Promise<void>;
  /** Everything else it tells. */
  tell(header: Frame['header']): void;
  /** What the app file printed. */
  print(text: string): void;
}

/** A failed call as Python has to see it. */
export class LoaderCallError extends Error {
  readonly rpcCode: number;
  readonly details: string;

  constructor(rpcCode: number, details: string) {
    super(details);
    this.rpcCode = rpcCode;
    this.details = details;
  }
}

/** How the loader ended: the value of its work, or the error it described. */
export type LoaderOutcome = { ok: true; value: unknown } | { ok: false; error: Frame['header'] };

const script = fileURLToPath(new URL('../../python/lanner_loader.py', import.meta.url));
const mostKeptOutput = 16_384;
const killAfterMs = 2000;

/** Runs python/lanner_loader.py to its end. The signal ends it; whatever happens, no process is left. */
export async function runLoader(
  python: PythonCommand,
  request: LoaderRequest,
  options: { cwd: string; environment: Environment; signal: AbortSignal | undefined },
  handlers: LoaderHandlers,
): Promise<LoaderOutcome> {
  if (options.signal?.aborted) throw stopped(options.signal);
  const child = spawn(python.command, [...python.args, script], {
    cwd: options.cwd,
    env: { ...options.environment },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const ended = new Promise<{ code: number | null; failure?: Error }>((settle) => {
    child.once('error', (failure) => settle({ code: null, failure }));
    // Not `close`: what the app started while it was loaded may hold the pipes open for ever.
    child.once('exit', (code) => settle({ code }));
  });
  // A dead child shows as the end of its output; writing to it must not throw.
  child.stdin.on('error', () => undefined);
  child.stdin.write(encodeFrame(request));
  let printed = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    printed = (printed + text).slice(-mostKeptOutput);
    handlers.print(text);
  });
  const stop = (): void => {
    child.kill('SIGTERM');
    setTimeout(() => child.kill('SIGKILL'), killAfterMs).unref();
  };
  options.signal?.addEventListener('abort', stop, { once: true });
  try {
    const outcome = await converse(child, handlers, options.signal);
    if (options.signal?.aborted) throw stopped(options.signal);
    if (outcome) return outcome;
    const { code, failure } = await ended;
    throw new DeployError(
      'python_preparation_failed',
      `The Python that loads the app (${python.from}) ended before it was done${code === null ? '' : ` (exit ${code})`}.`,
      {
        cause: failure,
        advice:
          printed.trim() === ''
            ? `Try \`${python.command} -c "import fal"\`.`
            : `It said: ${printed.trim().split('\n').slice(-5).join(' | ')}`,
        details: { output: printed },
      },
    );
  } catch (error) {
    // Whatever failed first, it failed because of this.
    throw options.signal?.aborted ? stopped(options.signal) : error;
  } finally {
    options.signal?.removeEventListener('abort', stop);
    child.stdin.end();
    if (child.exitCode === null && child.signalCode === null) stop();
    await ended;
    child.stdout.destroy();
    child.stderr.destroy();
  }
}

function stopped(signal: AbortSignal): ConnectionError {
  const isLate = signal.reason instanceof DOMException && signal.reason.name === 'TimeoutError';
  return isLate
    ? new ConnectionError('timed_out', 'The work was not done in time and was ended.', {
        cause: signal.reason,
        advice: 'Give a larger timeoutMs.',
      })
    : new ConnectionError('cancelled', 'The work was cancelled.', { cause: signal.reason });
}

async function converse(
  child: ChildProcessByStdio<Writable, Readable, Readable>,
  handlers: LoaderHandlers,
  signal: AbortSignal | undefined,
): Promise<LoaderOutcome | undefined> {
  const reply = (header: Record<string, unknown>, payload?: Uint8Array): void =>
    void child.stdin.write(encodeFrame(header, payload));
  let hangUp: AbortController | undefined;
  /** A failure of ours (an upload, say): it ends the loader and is thrown as it is. */
  let failed: { error: unknown } | undefined;
  const abort = (): void => hangUp?.abort();
  signal?.addEventListener('abort', abort);
  const serve = async (method: string, payload: Uint8Array, stop: AbortSignal): Promise<void> => {
    try {
      for await (const message of handlers.call(method, payload, stop)) {
        if (stop.aborted) break;
        reply({ type: 'message' }, message);
      }
      reply({ type: 'end' });
    } catch (error) {
      if (stop.aborted) reply({ type: 'end' });
      else if (error instanceof LoaderCallError) reply({ type: 'failed', code: error.rpcCode, details: error.details });
      else fail(error);
    }
  };
  const fail = (error: unknown): void => {
    failed ??= { error };
    child.kill('SIGTERM');
  };
  try {
    for await (const { header, payload } of decodeFrames(child.stdout)) {
      switch (header.type) {
        case 'call':
          hangUp = new AbortController();
          void serve(String(header['method']), payload, hangUp.signal);
          break;
        case 'hangup':
          hangUp?.abort();
          break;
        case 'loaded':
          void handlers.loaded(header).then(() => reply({ type: 'go' }), fail);
          break;
        case 'files':
          void handlers.upload(header['files'] as unknown[]).then(() => reply({ type: 'uploaded' }), fail);
          break;
        case 'result':
          return { ok: true, value: header['value'] };
        case 'error':
          return { ok: false, error: header };
        default:
          handlers.tell(header);
      }
    }
  } finally {
    signal?.removeEventListener('abort', abort);
    hangUp?.abort();
  }
  if (failed) throw failed.error;
  return undefined;
}
