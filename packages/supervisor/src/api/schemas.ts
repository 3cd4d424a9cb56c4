import type { AckRequest, AttemptOrder, BuildRequest, Json, StartRunnerRequest, StopRequest } from '@lanner/protocol';
import * as z from 'zod/mini';

/** Ids become names of files and folders. */
export const idSchema: z.ZodMiniType<string> = z.string().check(z.regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/));
const id = idSchema;
const hash = z.string().check(z.regex(/^[0-9a-f]{64}$/));
const port = z.int().check(z.gte(1), z.lte(65_535));
const durationMs = z.number().check(z.gte(0), z.lte(30 * 24 * 3_600_000));
const count = z.int().check(z.gte(0));
const text = (maxChars: number) => z.string().check(z.maxLength(maxChars));
const environment = z.object({
  kind: z.enum(['virtualenv', 'container', 'conda']),
  configuration: z.record(z.string(), z.unknown() as unknown as z.ZodMiniType<Json>),
});

const requirementSecrets = z.optional(z.record(text(256), text(128 * 1024)));

export const stopRequestSchema: z.ZodMiniType<StopRequest> = z.object({ graceMs: durationMs });

export const ackRequestSchema: z.ZodMiniType<AckRequest> = z.object({ bootId: text(128), seq: count });

export const buildRequestSchema = z.object({
  accountId: id,
  accountOrdinal: count,
  environment,
  requirementSecrets,
  force: z.boolean(),
}) as z.ZodMiniType<BuildRequest>;

const serialized = z.object({ method: text(200), blob: hash });

export const startRunnerRequestSchema = z.object({
  runnerId: id,
  accountId: id,
  accountOrdinal: count,
  revisionId: text(200),
  appName: text(1000),
  environment,
  requirementSecrets,
  callable: z.union([
    z.object({
      kind: z.literal('serialized'),
      method: text(200),
      blob: hash,
      setup: z.optional(serialized),
    }),
    z.object({ kind: z.literal('entrypoint'), entrypoint: text(1000) }),
  ]),
  purpose: z.enum(['serve', 'run']),
  runOnMainThread: z.boolean(),
  exposedPort: z.optional(port),
  metricsPort: z.optional(port),
  healthCheck: z.optional(
    z.object({
      path: z.string().check(z.regex(/^\/[\x21-\x7e]{0,2000}$/)),
      method: z.optional(z.enum(['GET', 'POST'])),
      startPeriodMs: durationMs,
      timeoutMs: durationMs,
      failureThreshold: z.int().check(z.gte(1)),
      callRegularly: z.boolean(),
    }),
  ),
  startupTimeoutMs: durationMs,
  graceMs: durationMs,
  files: z.array(z.object({ hash, relativePath: text(4096), mode: count })).check(z.maxLength(100_000)),
  dataMounts: z.array(text(4096)).check(z.maxLength(1000)),
  env: z.record(z.string().check(z.regex(/^[^=\0]+$/)), z.string()),
  limits: z.object({ memoryMiB: z.number().check(z.gt(0)), cpus: z.number().check(z.gt(0)) }),
  machineType: z.optional(text(200)),
}) as z.ZodMiniType<StartRunnerRequest>;

/** A few hundred headers of a few KB; the gateway has bounded them before. */
export const attemptOrderSchema = z.object({
  attemptId: id,
  requestNumber: count,
  attemptNumber: count,
  port,
  method: z.string().check(z.regex(/^[A-Z]{1,20}$/)),
  path: z.string().check(z.regex(/^\/[\x21-\x7e]*$/), z.maxLength(64 * 1024)),
  headers: z.array(text(64 * 1024)).check(z.maxLength(1000)),
  bodyBytes: count,
  timeoutMs: durationMs,
}) as z.ZodMiniType<AttemptOrder>;
