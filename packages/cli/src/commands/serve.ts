import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  dataDirLayout,
  defaultDataRoot,
  loadServerConfig,
  type RunningServer,
  type ServerConfig,
  type ServerFlags,
} from '@lanner/server/config';
import { note, print } from '../output.ts';
import { readableLogDestination } from '../readable-log.ts';
import { toShellWord } from '../shell-word.ts';

/** How long requests in flight may go on after the first signal; a second signal ends them at once. */
const graceMs = 30_000;

/** Flags as commander names them; `account` is the setting `accountNickname`. */
type ServeOptions = Omit<ServerFlags, 'accountNickname'> & { account?: string };

/** `lanner serve`: returns when the server has ended. With `--detach` it returns when the one in the background is ready. */
export async function serve(options: ServeOptions): Promise<void> {
  const { account, ...flags } = options;
  const config = loadServerConfig({ ...flags, accountNickname: account }, process.env);
  if (config.detach && process.env.LANNER_BACKGROUND !== '1') {
    const { serveInBackground } = await import('./serve-in-background.ts');
    return serveInBackground(config, (state) => announce(config, state));
  }
  const signals = listenForSignals();
  const [{ createLogger, startServer }, destination] = await Promise.all([
    import('@lanner/server'),
    readableLogDestination(process.env, process.stderr.isTTY),
  ]);
  const server: RunningServer = await startServer(config, {
    supervisorEntry: supervisorEntry(),
    ...(destination === null ? {} : { log: createLogger({ destination }) }),
  });
  announce(config, server);
  const first = await signals.next();
  note(`${first}: stopping. Requests in flight have ${graceMs / 1000} seconds; once more ends them now.`);
  const leaveSupervisor = config.detach && first === 'SIGTERM';
  const stopped = server.stop({ graceMs, leaveSupervisor });
  void signals.next().then(() => server.stop({ graceMs: 0, leaveSupervisor }));
  await stopped;
  signals.close();
}

/** The supervisor's program: a process of its own, so the path is needed rather than the module. */
function supervisorEntry(): string {
  const index = import.meta.resolve('@lanner/supervisor');
  return fileURLToPath(new URL(`main${extname(index)}`, index));
}

function announce(config: ServerConfig, ports: { tlsPort: number; httpPort: number }): void {
  print(`Lanner is ready at https://localhost:${ports.tlsPort} (clear text and proxy: port ${ports.httpPort}).`);
  if (config.domain !== null) print(`Domain: https://${config.domain}:${ports.tlsPort}`);
  const { root } = dataDirLayout(config.dataDir);
  const isFound = dataDirLayout(process.env.LANNER_HOME || defaultDataRoot()).root === root;
  const folder = isFound ? '' : ` --data-dir ${toShellWord(root)}`;
  print(`Next: eval "$(lanner env${folder})" && fal deploy app.py::MyApp`);
}

/** Signals that end the server, one after the other. They are caught from the first moment, so none is lost while starting. */
function listenForSignals(): { next(): Promise<NodeJS.Signals>; close(): void } {
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const arrived: NodeJS.Signals[] = [];
  const waiting: ((signal: NodeJS.Signals) => void)[] = [];
  const listener = (signal: NodeJS.Signals): void => {
    const resolve = waiting.shift();
    if (resolve === undefined) arrived.push(signal);
    else resolve(signal);
  };
  for (const name of names) process.on(name, listener);
  return {
    next: () =>
      new Promise((resolve) => {
        const signal = arrived.shift();
        if (signal === undefined) waiting.push(resolve);
        else resolve(signal);
      }),
    close: () => names.forEach((name) => process.off(name, listener)),
  };
}
