import { randomUUID } from 'node:crypto';
import type { Clock, LannerError } from '@lanner/protocol';
import type { Revision } from '../apps/app-types.ts';
import { FirstRunner } from './first-runner.ts';
import type { LogLine } from './fleet.ts';
import type { PrepareRequest, RunnerLifecycle } from './runner-lifecycle.ts';
import { toServingIdentity } from './runner-identity.ts';
import type { Runner } from './runner.ts';

interface Entry {
  runner: Runner;
  first: FirstRunner;
}

/** Runners of revisions that are not active yet, by alias, until the alias moves and its pool claims them. */
export class FirstRunners {
  readonly #deps: { clock: Clock; lifecycle: RunnerLifecycle; recentLogs: (runnerId: string) => LogLine[] };
  readonly #byAlias = new Map<string, Set<Entry>>();

  constructor(deps: { clock: Clock; lifecycle: RunnerLifecycle; recentLogs: (runnerId: string) => LogLine[] }) {
    this.#deps = deps;
  }

  /** Starts one and resolves when it is ready. Throws as {@link FirstRunner.wait}. */
  start(input: {
    ownerNickname: string;
    aliasName: string;
    revision: Revision;
    prepare: PrepareRequest;
    signal: AbortSignal;
    onLog: (line: LogLine) => void;
  }): Promise<{ runnerId: string }> {
    const { ownerNickname, aliasName, revision, prepare, signal, onLog } = input;
    const { accountId, settings } = revision;
    const aliasId = `${accountId}/${aliasName}`;
    const entries = this.#byAlias.get(aliasId) ?? new Set<Entry>();
    this.#byAlias.set(aliasId, entries);
    const first = new FirstRunner({
      ...this.#deps,
      onLog,
      onGone: () => this.#remove(aliasId, entry),
    });
    const identity = toServingIdentity({
      ...{ accountId, ownerNickname, aliasName, revision },
      runnerId: randomUUID(),
      machineType: settings.machineTypes[0],
      startReason: 'rollout',
    });
    const runner = this.#deps.lifecycle.launch(identity, settings.maxMultiplexing, first, prepare);
    const entry: Entry = { runner, first };
    entries.add(entry);
    return first.wait(runner, signal);
  }

  /** The alias points at this revision now: its ready runners, which nobody else has from here on. */
  claim(aliasId: string, revisionId: string): Runner[] {
    const claimed: Runner[] = [];
    for (const entry of [...(this.#byAlias.get(aliasId) ?? [])]) {
      const { runner, first } = entry;
      if (runner.identity.revisionId !== revisionId || runner.phase !== 'ready') continue;
      first.claimed();
      this.#remove(aliasId, entry);
      claimed.push(runner);
    }
    return claimed;
  }

  /** The server stops: whoever waits is told. */
  failAll(reason: () => LannerError): void {
    for (const entries of [...this.#byAlias.values()]) for (const { first } of [...entries]) first.fail(reason());
  }

  #remove(aliasId: string, entry: Entry): void {
    const entries = this.#byAlias.get(aliasId);
    entries?.delete(entry);
    if (entries?.size === 0) this.#byAlias.delete(aliasId);
  }
}
