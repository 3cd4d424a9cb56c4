import { LannerError, systemClock, type Clock } from '@lanner/protocol';
import { createRestHandler } from './api/rest/create-rest-handler.ts';
import { createRpcHandler } from './api/rpc/create-rpc-handler.ts';
import { clientHosts } from './config/client-environment.ts';
import { dataDirLayout, ensureDataDir } from './config/data-dir.ts';
import { lockDataDir } from './config/lock.ts';
import { readOrCreateToken } from './config/private-file.ts';
import { clearRunState, writeRunState, writeServerPid } from './config/run-state.ts';
import type { RunningServer } from './config/running-server.ts';
import type { ServerConfig } from './config/server-config.ts';
import { ensureFirstAccount } from './first-account.ts';
import { createGateway } from './gateway/create-gateway.ts';
import { createChangeFeed } from './lib/change-feed.ts';
import { createReleasers } from './lib/releasers.ts';
import { createRunnerLogs } from './observe/create-runner-logs.ts';
import { createLogger, flushLogger, type Logger } from './observe/logger.ts';
import { createCertificateAuthority } from './ports/certificate-authority.ts';
import { createPorts } from './ports/create-ports.ts';
import type { PortHandlers } from './ports/port-handlers.ts';
import { createProcessDriver } from './runners/process-driver.ts';
import { createScheduler } from './scheduler/scheduler.ts';
import { createStore } from './store.ts';

export interface StartServerOptions {
  /** Program that `process.execPath` runs as the supervisor; the server package does not depend on the supervisor's. */
  supervisorEntry: string;
  /** Default: the machine's time. */
  clock?: Clock;
  /** Default: JSON lines on standard error. */
  log?: Logger;
}

/**
 * Starts a platform: the composition root, where every part meets the others and nowhere else. What starts last stops
 * first; a start that fails half-way releases what it had.
 *
 * Throws `data_dir_locked`, `schema_too_new`, `config_invalid`, `supervisor_unavailable`.
 */
export async function startServer(config: ServerConfig, options: StartServerOptions): Promise<RunningServer> {
  const clock = options.clock ?? systemClock;
  const log = options.log ?? createLogger();
  const dataDir = dataDirLayout(config.dataDir);
  const releasers = createReleasers();
  try {
    ensureDataDir(dataDir);
    const lock = lockDataDir(dataDir);
    releasers.add(() => lock.release());
    writeServerPid(dataDir, process.pid);
    releasers.add(() => clearRunState(dataDir));

    const changeFeed = createChangeFeed((error) => log.error({ err: error }, 'a listener of the change feed failed'));
    const store = await createStore({
      databasePath: dataDir.database,
      secretsKeyPath: dataDir.secretsKey,
      blobsDir: dataDir.blobs,
      clock,
      changeFeed,
      log,
    });
    releasers.add(() => store.close());
    const credentials = await ensureFirstAccount({
      accounts: store.accounts,
      keys: store.keys,
      credentialsPath: dataDir.credentials,
      nickname: config.accountNickname,
    });

    const ca = createCertificateAuthority({ folder: dataDir.ca, config, clock, log });
    await ca.start();
    releasers.add(() => ca.stop());

    const runnerLogs = createRunnerLogs({ directory: dataDir.runnerLogs, clock, log });
    releasers.add(() => runnerLogs.close());

    const driver = createProcessDriver({ dataDir: dataDir.root, supervisorEntry: options.supervisorEntry, clock, log });
    releasers.add(({ leaveSupervisor }) => driver.stop({ leaveSupervisor }));

    let isServing = false;
    let ports: { tlsPort: number; httpPort: number } | null = null;
    const scheduler = createScheduler({
      ...store,
      driver,
      changeFeed,
      clock,
      log,
      runnerLogs,
      modeOf: store.appFiles.modeOf,
      platform: {
        hosts: () => clientHosts(config, ports?.tlsPort ?? config.port),
        caBundlePath: ca.bundlePath,
      },
    });
    releasers.add(({ graceMs }) => scheduler.stop({ graceMs }));

    const gateway = createGateway({
      targets: scheduler,
      dispatcher: scheduler,
      authenticator: store.authenticator,
      clock,
      log,
    });
    releasers.add(({ graceMs }) => gateway.stop({ graceMs }));
    const forgetEnded = driver.onEvent((event) => {
      if (event.type === 'runner.exited') gateway.forgetRunner(event.runnerId);
    });
    releasers.add(forgetEnded);

    const ending = new AbortController();
    const api = {
      ...store,
      fleet: scheduler,
      driver,
      runnerLogs,
      clock,
      log,
      isServing: () => isServing,
      endOfRuns: ending.signal,
    };
    const rpc = createRpcHandler(api);
    const rest = createRestHandler(api);

    const dispatch: PortHandlers['request'] = (request, response, route) => {
      if (route.role === 'rpc') return rpc(request, response, route);
      if (route.role === 'rest') return rest(request, response, route);
      return gateway.handle(request, response, route);
    };
    // The ports listen before the supervisor is adopted, because runners are told the real port numbers. What arrives
    // in that moment waits.
    const begun = Promise.withResolvers<void>();
    begun.promise.catch(() => {});
    const listeners = createPorts({
      config,
      ca,
      proxyToken: readOrCreateToken(dataDir.proxyToken),
      clock,
      log,
      handlers: {
        request: (request, response, route) =>
          isServing ? dispatch(request, response, route) : begun.promise.then(() => dispatch(request, response, route)),
        upgrade: (request, socket, head, route) =>
          begun.promise.then(() => gateway.handleUpgrade(request, socket, head, route)),
      },
    });
    releasers.add(({ graceMs }) => listeners.stop({ graceMs }));

    ports = await listeners.start();
    const adoption = await scheduler.start();
    isServing = true;
    begun.resolve();
    releasers.add(() => void (isServing = false));
    writeRunState(dataDir, {
      pid: process.pid,
      ...ports,
      host: config.host,
      domain: config.domain,
      publicUrl: config.publicUrl,
      startedAtMs: clock.nowMs(),
    });
    log.info({ ...ports, ...adoption, dataDir: dataDir.root }, 'server ready');

    return {
      ...ports,
      account: credentials.account,
      async stop({ graceMs, leaveSupervisor = false }) {
        log.info({ graceMs, leaveSupervisor }, 'server stopping');
        // Runs live as long as their command; waiting for them would be waiting for ever.
        ending.abort(new LannerError('shutting_down', 'The server is stopping, and with it this run ends.'));
        await releasers.release({ graceMs, leaveSupervisor });
        await flushLogger(log);
      },
    };
  } catch (error) {
    await releasers.release({ graceMs: 0, leaveSupervisor: false });
    throw error;
  }
}
