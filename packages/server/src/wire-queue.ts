import type { Clock } from '@lanner/protocol';
import { createCallAuthenticator } from './auth/call-authenticator.ts';
import type { ServerConfig } from './config/server-config.ts';
import { defaultGatewayLimits } from './gateway/gateway-limits.ts';
import { createQueueHandler } from './gateway/queue/queue-handler.ts';
import { RequestQueue } from './gateway/queue/request-queue.ts';
import { defaultRetention } from './gateway/queue/sweep-results.ts';
import { createRunnerTransport } from './gateway/upstream/runner-transport.ts';
import { createStepCalls } from './gateway/workflows/queued-step-calls.ts';
import { WorkflowExecutor } from './gateway/workflows/workflow-executor.ts';
import { createWorkflowHandler } from './gateway/workflows/workflow-handler.ts';
import { withWorkflowSlots, withWorkflowTargets } from './gateway/workflows/workflow-targets.ts';
import type { Releasers } from './lib/releasers.ts';
import type { PlatformMetrics } from './observe/metrics/platform-metrics.ts';
import type { Logger } from './observe/logger.ts';
import type { RunnerLogs } from './observe/runner-logs.ts';
import type { ProcessDriver } from './runners/process-driver.ts';
import type { Scheduler } from './scheduler/scheduler.ts';
import type { Store } from './store.ts';
import { createWebhooks } from './webhooks/create-webhooks.ts';

/** The part of the composition root where the queue meets what it hands work to: runners, workflows, webhooks. */
export function wireQueue(parts: {
  config: ServerConfig;
  store: Store;
  scheduler: Scheduler;
  driver: ProcessDriver;
  runnerLogs: RunnerLogs;
  metrics: PlatformMetrics;
  clock: Clock;
  log: Logger;
  releasers: Releasers;
  allowPrivateWebhooks: boolean;
  certificates: () => string[];
}) {
  const { config, store, scheduler, driver, runnerLogs, metrics, clock, log, releasers } = parts;
  const { allowPrivateWebhooks, certificates } = parts;
  const authenticator = createCallAuthenticator({ authenticator: store.authenticator, tokens: store.appTokens });
  const cancelTransport = createRunnerTransport({ clock, ...defaultGatewayLimits });
  releasers.add(() => cancelTransport.close());
  const webhooks = createWebhooks({
    store: store.deliveries,
    results: store.requests,
    blobs: store.blobs,
    keys: store.webhookKeys,
    allowPrivate: allowPrivateWebhooks,
    horizonMs: config.webhookHorizonMs,
    upstreamProxy: config.upstreamProxy,
    certificates,
    clock,
    log,
    onAttempt: metrics.webhookAttempt,
  });
  releasers.add(({ graceMs }) => webhooks.stop(graceMs));
  // A run of a workflow calls apps through the queue that executes it.
  const targets = withWorkflowTargets(scheduler, store.workflows);
  const workflowExecutor: WorkflowExecutor = new WorkflowExecutor({
    workflows: store.workflows,
    stepCalls: (request, input) =>
      createStepCalls({ queue, store: store.requests, blobs: store.blobs, targets, clock }, request, input),
    blobs: store.blobs,
    clock,
    log,
  });
  const queue: RequestQueue = new RequestQueue({
    store: store.requests,
    payloads: store.payloads,
    deliveries: store.deliveries,
    blobs: store.blobs,
    dispatcher: withWorkflowSlots(scheduler, workflowExecutor),
    targets,
    driver,
    transport: cancelTransport,
    retryRules: (appId) => {
      const [owner = '', name = ''] = appId.split('/');
      const revision = store.apps.resolve(owner, name)?.revision;
      return { retryConfig: revision?.retryConfig ?? null, skipRetryConditions: revision?.skipRetryConditions ?? [] };
    },
    clock,
    log,
    retention: {
      ...defaultRetention,
      resultsMs: config.resultRetentionMs,
      payloadsMs: config.payloadRetentionMs,
    },
    observer: metrics,
    onEnded: ({ options }) => {
      if (options.webhook !== undefined) webhooks.added(options.webhook);
    },
  });
  releasers.add(({ graceMs }) => {
    workflowExecutor.stop();
    return queue.stop(graceMs);
  });
  const handleQueue = createQueueHandler({
    queue,
    store: store.requests,
    blobs: store.blobs,
    targets,
    authenticator,
    runnerLogs,
    driver,
    clock,
    log,
    onCall: metrics.call,
    allowPrivateWebhooks,
  });

  const handleWorkflow = createWorkflowHandler({
    queue,
    store: store.requests,
    blobs: store.blobs,
    targets,
    executor: workflowExecutor,
    authenticator,
    clock,
    log,
    onCall: metrics.call,
  });

  return { queue, webhooks, handleQueue, handleWorkflow };
}
