import type { RequestLog, RequestStatus, ServerlessClient } from '@lanner/client';
import type { CommandContext, ConnectionOptions } from '../command/command-context.ts';
import { defineCommand } from '../command/command-spec.ts';
import { parseNestedValues } from '../command/nested-values.ts';
import { connectionOptions } from '../command/shared-options.ts';
import { isClientFailure } from '../output.ts';
import { Progress } from '../terminal/progress.ts';

interface ApiInput extends ConnectionOptions {
  modelId: string;
  params: string[];
}

const pollIntervalMs = 200;
/** A traceback of the frameworks around an app runs to hundreds of lines; its beginning says what happened. */
const mostFailureLines = 40;

export const apiCommand = defineCommand<ApiInput>({
  name: 'api',
  summary: '',
  description:
    'Call an endpoint of an application through the queue and print its result as JSON; an id that ends in /stream prints the events as they come.',
  arguments: [
    { name: 'model_id', summary: 'owner/app, with a path behind where needed.' },
    {
      name: 'params',
      variadic: true,
      required: false,
      summary: 'key=text, key:=JSON, nested[key]=value, list[]=value.',
    },
  ],
  options: connectionOptions,
  examples: [
    'lanner api me/hello name=Ada',
    'lanner api me/images prompt="a lion" size[width]:=512',
    'lanner api me/hello/stream n:=3',
  ],
  run: async (input, context) => {
    const body = parseNestedValues(input.params);
    const client = await context.client(input);
    if (input.modelId.endsWith('/stream')) {
      for await (const event of client.stream(input.modelId, { input: body, path: '', signal: context.signal })) {
        context.terminal.print(JSON.stringify(event));
      }
      return 0;
    }
    return queued(client, input.modelId, body, context);
  },
});

async function queued(client: ServerlessClient, id: string, body: unknown, context: CommandContext): Promise<number> {
  const { terminal, signal } = context;
  const line = new Progress(terminal);
  const logs = new LogReader();
  const show = (status: RequestStatus): void => {
    const text = status.status === 'IN_QUEUE' ? `Queued (position: ${status.queuePosition})` : 'In Progress';
    line.show(`${text}  ${terminal.noteStyle('dim', status.requestId)}`);
    if (status.status === 'IN_QUEUE') return;
    for (const message of logs.read(status.logs)) line.above(() => terminal.note(terminal.noteStyle('dim', message)));
  };
  const request = await client.submit(id, { input: body, signal });
  try {
    for (;;) {
      const status = await request.status({ logs: true, signal });
      // what a failed request wrote is shown with its failure
      if (status.status === 'COMPLETED') {
        if (status.error === null) show(status);
        break;
      }
      show(status);
      await pause(signal);
    }
    const { data } = await request.result({ signal });
    line.stop();
    terminal.print(typeof data === 'string' ? data : JSON.stringify(data, null, 2));
    return 0;
  } catch (error) {
    line.stop();
    if (signal.aborted) return await cancel(client, id, request.requestId, context);
    if (isClientFailure(error) && error.status !== undefined) return await explain(error, request, logs, context);
    throw error;
  } finally {
    line.stop();
  }
}

async function cancel(
  client: ServerlessClient,
  id: string,
  requestId: string,
  { terminal }: CommandContext,
): Promise<number> {
  terminal.note(terminal.noteStyle('yellow', 'Cancelling request...'));
  try {
    await client.cancel(id, requestId, { timeoutMs: 5000 });
    terminal.note(terminal.noteStyle('green', 'Request cancelled.'));
    return 0;
  } catch (error) {
    if (!isClientFailure(error)) throw error;
    terminal.note(`The request ${requestId} may still run: ${error.message}`);
    return 1;
  }
}

/** A failed request: the beginning of what it wrote, and one line. A failed look at it says so instead. */
async function explain(
  error: { status?: number | undefined; message: string },
  request: { requestId: string; status(options: { logs: boolean; timeoutMs: number }): Promise<RequestStatus> },
  logs: LogReader,
  { terminal }: CommandContext,
): Promise<number> {
  const status = await request.status({ logs: true, timeoutMs: 10_000 }).catch(() => null);
  if (status?.status === 'COMPLETED') {
    const lines = logs.read(status.logs).flatMap((message) => message.split('\n'));
    for (const text of lines.slice(0, mostFailureLines)) terminal.note(terminal.noteStyle('dim', text));
    if (lines.length > mostFailureLines) terminal.note(`... ${lines.length - mostFailureLines} more lines`);
  }
  const red = terminal.noteStyle(['bold', 'red'], 'error:');
  if (status !== null && status.status !== 'COMPLETED') {
    terminal.note(`${red} Could not read request ${request.requestId} (HTTP ${error.status}: ${error.message}).`);
    terminal.note('It may still be running -- check its status before resubmitting.');
    return 1;
  }
  const why = status?.error ?? status?.errorType ?? error.message;
  terminal.note(`${red} Request ${request.requestId} failed with HTTP ${error.status}: ${why}`);
  return 1;
}

/** Lines come in a window that moves on, so what was seen is known by time and text. */
class LogReader {
  readonly #seen = new Set<string>();

  /** The lines that are new. */
  read(logs: readonly RequestLog[] | null): string[] {
    const fresh = (logs ?? []).filter((log) => {
      const key = `${log.timestamp.getTime()} ${log.message}`;
      if (this.#seen.has(key)) return false;
      this.#seen.add(key);
      return true;
    });
    return fresh.map(({ message }) => unwrapTraceback(message));
  }
}

/** An error that left an endpoint is logged as `{"traceback": …}`; a long one may be cut where its line was. */
function unwrapTraceback(message: string): string {
  if (!message.startsWith('{"traceback":')) return message;
  for (const text of [message, `${message.replace(/\\[^\\]{0,5}$/, '')}"}`]) {
    try {
      const { traceback } = JSON.parse(text) as { traceback?: unknown };
      if (typeof traceback === 'string') return traceback.trimEnd();
    } catch {
      // Not whole: the next form closes it.
    }
  }
  return message;
}

/** Until the next look, or the signal. */
async function pause(signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, pollIntervalMs);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done);
  });
  signal.throwIfAborted();
}
