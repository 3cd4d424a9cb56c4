import { LannerError, toLannerError, type Clock, type RunnerResult } from '@lanner/protocol';
import type { Logger } from 'pino';
import type { RunnerDriver } from '../runners/runner-driver.ts';
import type { Slot, SlotOutcome, SlotRequest, Target } from './dispatcher.ts';
import type { EphemeralRun, LogLine } from './fleet.ts';
import { RunEvents } from './run-events.ts';
import type { RunnerLifecycle, RunnerOwner } from './runner-lifecycle.ts';
import type { Runner } from './runner.ts';
import { SlotTable, type SlotTableOwner } from './slot-table.ts';
import { toStartFailure } from './start-failure.ts';

export interface EphemeralTargetDeps {
  clock: Clock;
  log: Logger;
  driver: RunnerDriver;
  lifecycle: RunnerLifecycle;
  /** Takes the run's name out of the routing table. */
  onGone: () => void;
}

/**
 * One run that belongs to one `Run` call: exactly one runner, started at once and never replaced, because its output and
 * its outcome are the call's. Requests to its URL wait until it is ready, and are told when it is gone.
 *
 * Statuses that would replace a deployed app's runner (503, exceeded request_timeout) leave this one alone: nothing could
 * take its place.
 */
export class EphemeralTarget implements RunnerOwner, SlotTableOwner, EphemeralRun {
  readonly target: Target;
  readonly publicName: string | null;
  readonly #deps: EphemeralTargetDeps;
  readonly #table: SlotTable;
  readonly #events = new RunEvents();
  #runner: Runner | null = null;
  #result: RunnerResult | null = null;
  #goneWith: LannerError | null = null;

  constructor(target: Target, hasUrl: boolean, deps: EphemeralTargetDeps) {
    this.target = target;
    this.publicName = hasUrl ? target.name : null;
    this.#deps = deps;
    this.#table = new SlotTable(deps.clock, this);
  }

  get runId(): string {
    return this.target.targetId;
  }

  get runnerId(): string {
    return this.#runner?.runnerId ?? '';
  }

  get runner(): Runner | null {
    return this.#runner;
  }

  /** Called once, right after the launch. */
  begin(runner: Runner): void {
    this.#runner = runner;
  }

  acquire(request: SlotRequest): Promise<Slot> {
    if (this.#goneWith) return Promise.reject(this.#goneWith);
    return this.#table.acquire(request);
  }

  events(signal: AbortSignal): ReturnType<EphemeralRun['events']> {
    return this.#events.read(signal);
  }

  end(): Promise<void> {
    this.#leave(this.#appNotFound());
    if (this.#runner) this.#deps.lifecycle.stop(this.#runner, 'run ended');
    return Promise.resolve();
  }

  /** The server stops: waiting requests and the reader of events are told, the runner is left to the driver. */
  close(reason: () => LannerError): void {
    this.#leave(reason());
    const exit = { reason: 'stopped', code: null, signal: null, message: reason().message } as const;
    this.#events.end({ type: 'outcome', result: null, exit, resultBytes: null });
  }

  get inFlight(): number {
    return this.#runner?.inFlight ?? 0;
  }

  onReady(runner: Runner): void {
    this.#table.add(runner);
  }

  onWithdrawn(runner: Runner): void {
    this.#table.remove(runner);
  }

  onLog(_runner: Runner, line: LogLine): void {
    this.#events.log(line);
  }

  onResult(_runner: Runner, result: RunnerResult): void {
    this.#result = result;
  }

  onEnded(runner: Runner, end: { launchError: LannerError | null }): void {
    this.#table.remove(runner);
    const exit = runner.exit!;
    const neverReady = runner.readyAtMs === null && exit.reason !== 'finished';
    this.#hideExitOfServer(runner);
    if (end.launchError) this.#leave(end.launchError);
    else if (neverReady || this.#result?.failure?.code === 'startup_failed') {
      // The output went to the caller of the run; those of its URL may be anybody.
      this.#leave(
        toStartFailure(
          runner.identity.appName,
          { ...exit, message: this.#result?.failure?.message ?? exit.message },
          [],
        ),
      );
    } else this.#leave(this.#appNotFound());
    void this.#deliverOutcome(runner);
  }

  onDemandChanged(): void {
    // One runner is all there will ever be.
  }

  onReleased(runner: Runner, _outcome: SlotOutcome): void {
    this.#deps.lifecycle.afterRelease(runner);
  }

  /**
   * A web server whose app could not start leaves by SystemExit. As a result it would end the client without a word
   * (grpc-controller 5.2), so it becomes what it means: a failed start.
   */
  #hideExitOfServer(runner: Runner): void {
    const result = this.#result;
    if (runner.identity.port === null || runner.readyAtMs !== null) return;
    if (result === null || !result.wasRaised || result.exceptionTypeName !== 'SystemExit') return;
    const message = `The app ended (exit status ${runner.exit?.code}) before it listened on its port; its log says why.`;
    this.#result = { ...result, failure: { code: 'startup_failed', message } };
    this.#deps.driver.forgetResult(runner.runnerId).catch((error: unknown) => {
      this.#deps.log.warn({ err: error, runnerId: runner.runnerId }, 'the result of a run was not forgotten');
    });
  }

  /** Fetches the pickled result before the outcome is told, and lets the driver forget it. */
  async #deliverOutcome(runner: Runner): Promise<void> {
    const exit = runner.exit!;
    let result = this.#result;
    let resultBytes: Uint8Array | null = null;
    if (result && !result.failure) {
      try {
        resultBytes = await this.#deps.driver.readResult(runner.runnerId);
        await this.#deps.driver.forgetResult(runner.runnerId);
      } catch (error) {
        const { code, message } = toLannerError(error);
        this.#deps.log.warn({ err: error, runnerId: runner.runnerId }, 'the result of a run could not be read');
        if (resultBytes === null) result = { ...result, failure: { code, message } };
      }
    }
    this.#events.end({ type: 'outcome', result, exit, resultBytes });
  }

  #leave(error: LannerError): void {
    if (this.#goneWith) return;
    this.#goneWith = error;
    this.#deps.onGone();
    this.#table.waiters.failAll(() => error);
  }

  #appNotFound(): LannerError {
    const id = `${this.target.ownerNickname}/${this.target.name}`;
    return new LannerError('app_not_found', `${id} is not running any more: the run it belonged to has ended.`);
  }
}
