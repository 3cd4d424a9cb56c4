import { networkInterfaces } from 'node:os';
import { readFileSync } from 'node:fs';
import { getCACertificates } from 'node:tls';
import { LannerError, type Clock } from '@lanner/protocol';
import { createRestHandler } from './api/rest/create-rest-handler.ts';
import { createRpcHandler } from './api/rpc/create-rpc-handler.ts';
import { createCallAuthenticator } from './auth/call-authenticator.ts';
import { isLoopback } from './config/authority.ts';
import { clientHosts } from './config/client-environment.ts';
import type { DataDir } from './config/data-dir.ts';
import { ownFileUrls } from './config/own-file-urls.ts';
import { readOrCreateToken } from './config/private-file.ts';
import { writeRunState } from './config/run-state.ts';
import type { RunningServer } from './config/running-server.ts';
import type { ServerConfig } from './config/server-config.ts';
import { ensureFirstAccount } from './first-account.ts';
import { createFiles } from './files/create-files.ts';
import { createVolumeOwners } from './files/volume/volume-owners.ts';
import { createGateway } from './gateway/create-gateway.ts';
import { erasePayloads } from './gateway/queue/erase-payloads.ts';
import { createQueueAdministration } from './gateway/queue/queue-administration.ts';
import { isWorkflowPath } from './gateway/workflows/workflow-handler.ts';
import { createChangeFeed } from './lib/change-feed.ts';
import type { Releasers } from './lib/releasers.ts';
import { createPlatformMetrics } from './observe/metrics/platform-metrics.ts';
import { createMetricsSources, isDeployed } from './metrics-sources.ts';
import { createRunnerLogs } from './observe/create-runner-logs.ts';
import { flushLogger, type Logger } from './observe/logger.ts';
import { createCertificateAuthority } from './ports/certificate-authority.ts';
import { createPorts } from './ports/create-ports.ts';
import type { PortHandlers } from './ports/port-handlers.ts';
import { sweepRunners } from './runners/sweep-runners.ts';
import { createScheduler } from './scheduler/scheduler.ts';
import { createStore } from './store.ts';
import type { ProcessDriver } from './runners/process-driver.ts';
import { wireQueue } from './wire-queue.ts';

/** Of the grace of a stop, what open sockets have to say goodbye. */
const goodbyeMs = 1_000;

/**
 * The composition root: the place where every part of the server meets the others. Resolves when both ports serve.
 * Each part adds its release to `releasers`; the caller releases them when this fails.
 *
 * @param parts.driver already preparing its supervisor, and released by the caller.
 */
export async function wireServer(parts: {
  config: ServerConfig;
  dataDir: DataDir;
  clock: Clock;
  log: Logger;
  driver: ProcessDriver;
  releasers: Releasers;
}): Promise<RunningServer> {
  const { config, dataDir, clock, log, driver, releasers } = parts;
  const changeFeed = createChangeFeed((error) => log.error({ err: error }, 'a listener of the change feed failed'));
  const store = await createStore({
    databasePath: dataDir.database,
    secretsKeyPath: dataDir.secretsKey,
    tokensKey: Buffer.from(readOrCreateToken(dataDir.tokensKey)),
    blobsDir: dataDir.blobs,
    clock,
    changeFeed,
    log,
  });
  releasers.add(() => store.close());
  const credentials = await ensureFirstAccount({
    accounts: store.accounts,
    keys: store.keys,
    authenticator: store.authenticator,
    credentialsPath: dataDir.credentials,
    nickname: config.accountNickname,
    log,
  });

  const ca = createCertificateAuthority({ folder: dataDir.ca, config, clock, log });
  await ca.start();
  releasers.add(() => ca.stop());

  const runnerLogs = createRunnerLogs({ directory: dataDir.runnerLogs, clock, log });
  releasers.add(() => runnerLogs.close());

  const metrics = createPlatformMetrics(clock, (appId) => isDeployed(store, appId));
  let isServing = false;
  let ports: { tlsPort: number; httpPort: number } | null = null;
  const fileUrls = (): string[] =>
    ownFileUrls(config, ports ?? { tlsPort: config.port, httpPort: config.httpPort }, machineAddresses());
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
      fileUrls,
      caBundlePath: ca.bundlePath,
    },
  });
  releasers.add(({ graceMs, leaveSupervisor }) => scheduler.stop({ graceMs, runnersEnd: !leaveSupervisor }));

  const gateway = createGateway({
    targets: scheduler,
    dispatcher: scheduler,
    authenticator: createCallAuthenticator({ authenticator: store.authenticator, tokens: store.appTokens }),
    clock,
    log,
    onCall: metrics.call,
    limits: { socketIdleMs: config.socketIdleMs },
  });
  releasers.add(({ graceMs }) => gateway.stop({ graceMs }));
  const forgetEnded = driver.onEvent((event) => {
    if (event.type === 'runner.exited') gateway.forgetRunner(event.runnerId);
  });
  releasers.add(forgetEnded);

  const allowPrivateWebhooks = config.webhookPrivateTargets ?? isLoopback(config.host);
  // Ours too: an app of this platform may be the receiver of a webhook.
  const certificates = (): string[] => [readFileSync(ca.bundlePath, 'utf8'), ...getCACertificates('extra')];
  const { queue, webhooks, handleQueue, handleWorkflow } = wireQueue({
    ...{ config, store, scheduler, driver, runnerLogs, metrics, clock, log, releasers },
    ...{ allowPrivateWebhooks, certificates },
  });

  const files = await createFiles({
    ...store,
    folder: dataDir.objects,
    secret: Buffer.from(readOrCreateToken(dataDir.tokensKey)),
    urls: config,
    dataFolder: dataDir.data,
    ownerOf: createVolumeOwners({ driver, accounts: store.accounts }),
    fetching: {
      allowPrivate: allowPrivateWebhooks,
      upstreamProxy: config.upstreamProxy,
      ownUrls: fileUrls,
      certificates,
    },
    tlsPort: () => ports?.tlsPort ?? config.port,
    clock,
    log,
  });
  releasers.add(() => files.stop());

  const ending = new AbortController();
  const api = {
    ...store,
    files,
    fleet: scheduler,
    driver,
    runnerLogs,
    queue: createQueueAdministration(queue),
    webhooks,
    erasePayloads: (accountId: string, requestId: string) =>
      erasePayloads({ ...store, removeOutputs: files.removeOutputs }, accountId, requestId),
    metrics: { render: () => metrics.render(createMetricsSources({ queue, fleet: scheduler, store })) },
    operatorAccountId: (await store.accounts.list())[0]!.accountId,
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
    if (route.role === 'cdn') return files.handleCdn(request, response, route);
    if (route.role === 'kv') return files.handleKeyValues(request, response, route);
    if (route.role === 'queue') return handleQueue(request, response, route);
    if (route.role === 'run' && isWorkflowPath(route.path)) return handleWorkflow(request, response, route);
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
  const resumed = await queue.start();
  await webhooks.start();
  isServing = true;
  begun.resolve();
  store.blobSweep.start();
  const upkeep = new AbortController();
  void sweepRunners({ store: store.runnerStore, clock, log }, upkeep.signal);
  releasers.add(() => upkeep.abort());
  releasers.add(() => void (isServing = false));
  writeRunState(dataDir, {
    pid: process.pid,
    ...ports,
    host: config.host,
    domain: config.domain,
    publicUrl: config.publicUrl,
    startedAtMs: clock.nowMs(),
  });
  log.info({ ...ports, ...adoption, queue: resumed, dataDir: dataDir.root }, 'server ready');

  return {
    ...ports,
    account: credentials.account,
    async stop({ graceMs, leaveSupervisor = false }) {
      log.info({ graceMs, leaveSupervisor }, 'server stopping');
      // Runs live as long as their command; waiting for them would be waiting for ever.
      ending.abort(new LannerError('shutting_down', 'The server is stopping, and with it this run ends.'));
      // At once: open status streams would hold the ports up. Attempts outlive a server that leaves its supervisor.
      void queue.stop(leaveSupervisor ? 0 : graceMs).catch(() => undefined);
      // A little before the ports cut what is left: sockets are told.
      const goodbyes = gateway.stop({ graceMs: Math.max(0, graceMs - goodbyeMs) }).catch(() => undefined);
      if (graceMs < goodbyeMs) await goodbyes;
      await releasers.release({ graceMs, leaveSupervisor });
      await flushLogger(log);
    },
  };
}

function machineAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map(({ address }) => address));
}
