/** What a logger writes its lines to. */
export interface LineSink {
  write(line: string): void;
}

/**
 * Where the server's log goes on a terminal: one short line per entry instead of JSON. Null where standard error is no
 * terminal (files and collectors want JSON), unless `LANNER_LOG_FORMAT` says `pretty` or `json`.
 */
export async function readableLogDestination(
  environment: Readonly<Record<string, string | undefined>>,
  isTerminal: boolean,
): Promise<LineSink | null> {
  const format = environment.LANNER_LOG_FORMAT ?? (isTerminal ? 'pretty' : 'json');
  if (format !== 'pretty') return null;
  const { default: pretty } = await import('pino-pretty');
  return pretty({
    destination: 2,
    sync: true,
    colorize: isTerminal && environment.NO_COLOR === undefined,
    translateTime: 'SYS:HH:MM:ss',
    // What a person at a terminal follows; the rest is in the JSON form.
    ignore:
      'pid,hostname,component,requestId,role,protocol,callerAccountId,runnerId,requestBytes,responseBytes,waitMs,firstByteMs',
    singleLine: true,
  });
}
