import { randomUUID } from 'node:crypto';
import type { Clock, LannerError } from '@lanner/protocol';
import type { Logger } from 'pino';
import type { Apps } from '../apps/apps.ts';
import type { RunnerDriver } from '../runners/runner-driver.ts';
import type { Target } from './dispatcher.ts';
import { EphemeralTarget } from './ephemeral-run.ts';
import type { EphemeralRun, Fleet } from './fleet.ts';
import type { RunnerSource } from './prepare-runner.ts';
import type { PrepareRequest, RunnerLifecycle } from './runner-lifecycle.ts';
import { toExposedPort, toGraceMs, type RunnerPlatform } from './runner-request.ts';
import type { RunnerIdentity } from './runner.ts';

export interface EphemeralRunsDeps {
  apps: Pick<Apps, 'resolve'>;
  clock: Clock;
  log: Logger;
  driver: RunnerDriver;
  lifecycle: RunnerLifecycle;
  prepare: (source: RunnerSource) => PrepareRequest;
  /** What every runner is told, however the client of the run came here: a runner has no proxy that leads fal's names to us. */
  platform: () => RunnerPlatform;
}

/** The runs that live as long as the call that started them, by id and by the name of their URL. */
export class EphemeralRuns {
  readonly #deps: EphemeralRunsDeps;
  readonly #byId = new Map<string, EphemeralTarget>();
  /** By public id, `owner/name`. */
  readonly #byName = new Map<string, EphemeralTarget>();

  constructor(deps: EphemeralRunsDeps) {
    this.#deps = deps;
  }

  get(runId: string): EphemeralTarget | undefined {
    return this.#byId.get(runId);
  }

  find(ownerNickname: string, name: string): Target | null {
    return this.#byName.get(`${ownerNickname}/${name}`)?.target ?? null;
  }

  /** See Fleet.startRun. */
  start(input: Parameters<Fleet['startRun']>[0]): EphemeralRun {
    const { accountId, ownerNickname, code, settings } = input;
    const { clock, log, driver, lifecycle } = this.#deps;
    const runId = randomUUID();
    const name = this.#uniqueName(ownerNickname, input.name);
    const target: Target = {
      targetId: runId,
      accountId,
      ownerNickname,
      name,
      authMode: input.authMode,
      requestTimeoutSeconds: settings.requestTimeoutSeconds,
      requestStartTimeoutSeconds: null,
    };
    const port = toExposedPort(code, 'run');
    const publicId = `${ownerNickname}/${name}`;
    const run = new EphemeralTarget(target, port !== null, {
      ...{ clock, log, driver, lifecycle },
      onGone: () => {
        this.#byId.delete(runId);
        this.#byName.delete(publicId);
      },
    });
    this.#byId.set(runId, run);
    if (port !== null) this.#byName.set(publicId, run);
    const identity: RunnerIdentity = {
      runnerId: randomUUID(),
      accountId,
      environmentName: input.environmentName,
      aliasId: null,
      aliasName: name,
      appName: publicId,
      revisionId: runId,
      machineType: settings.machineTypes[0] ?? 'XS',
      startReason: 'run',
      graceMs: toGraceMs(code),
      port,
    };
    const prepare = this.#deps.prepare({
      accountId,
      environmentName: input.environmentName,
      revisionId: runId,
      name,
      code,
      purpose: 'run',
      startupTimeoutSeconds: settings.startupTimeoutSeconds,
      platform: this.#deps.platform(),
    });
    run.begin(lifecycle.launch(identity, settings.maxMultiplexing, run, prepare));
    return run;
  }

  /** Ends all of them; their callers are told. */
  closeAll(reason: () => LannerError): void {
    for (const run of [...this.#byId.values()]) run.close(reason);
  }

  /** A name that no app and no other run of this owner has. */
  #uniqueName(ownerNickname: string, name: string): string {
    const base =
      name
        .toLowerCase()
        .replace(/[^a-z0-9-]+/g, '-')
        .replace(/^-+|-+$/g, '')
        .slice(0, 40) || 'run';
    for (;;) {
      const candidate = `${base}-${randomUUID().slice(0, 8)}`;
      const isTaken = this.#byName.has(`${ownerNickname}/${candidate}`);
      if (!isTaken && !this.#deps.apps.resolve(ownerNickname, candidate)) return candidate;
    }
  }
}
