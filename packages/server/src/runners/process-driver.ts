import type { Readable } from 'node:stream';
import {
  LannerError,
  type AttemptOrder,
  type AttemptSnapshot,
  type BuildMessage,
  type BuildRequest,
  type Clock,
  type SessionOrder,
  type StartRunnerRequest,
  type SupervisorEvent,
  type SupervisorStatus,
} from '@lanner/protocol';
import type { Logger } from 'pino';
import { isolationGaps } from './isolation-gaps.ts';
import type { DriverAdoption, RunnerAddress, RunnerDriver } from './runner-driver.ts';
import type { RunnerSession } from './runner-session.ts';
import { createSilenceLimit } from './silence-limit.ts';
import { createSilenceWatch, type SilenceWatch } from './silence-watch.ts';
import type { SupervisorLink } from './supervisor-link.ts';
import { defaultSupervisorPatience, type SupervisorPatience } from './supervisor-patience.ts';
import {
  createSupervisorProcess,
  isRefused,
  type SupervisorProcess,
  type SupervisorSession,
} from './supervisor-process.ts';

export interface ProcessDriverSettings {
  /** See SupervisorProcessSettings. */
  dataDir: string;
  supervisorEntry: string;
  clock: Clock;
  log: Logger;
  /** Default: a process of this machine. */
  supervisor?: SupervisorProcess;
  /** Default: {@link defaultSupervisorPatience}. */
  patience?: SupervisorPatience;
}

export interface ProcessDriver extends RunnerDriver {
  /** Has the supervisor looked for or started already, beside whatever the caller does until `start`. Optional. */
  prepare(): void;
  /**
   * Ends the connection. With `leaveSupervisor: false` the supervisor and its runners end too, `graceMs` (default 5,000)
   * between SIGTERM and SIGKILL. Idempotent.
   */
  stop(options?: { leaveSupervisor?: boolean; graceMs?: number }): Promise<void>;
}

/** Events are acknowledged together: one call each would cost more than the events. */
const acknowledgeMs = 20;
const firstRetryMs = 100;
const longestRetryMs = 5_000;
const defaultEndGraceMs = 5_000;
const keptAtOnce = (): Promise<void> => Promise.resolve();

/** Runners as processes of this machine, owned by its supervisor. */
export function createProcessDriver(settings: ProcessDriverSettings): ProcessDriver {
  return new SupervisorDriver(settings);
}

class SupervisorDriver implements ProcessDriver {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #supervisor: SupervisorProcess;
  /** And what is waited for before events are acknowledged. */
  readonly #listeners = new Map<(event: SupervisorEvent) => void, () => Promise<void>>();
  /** Runners whose end has not been told yet. */
  readonly #liveRunners = new Set<string>();
  readonly #stopping = new AbortController();
  readonly #silenceMs: number;
  readonly #silence: SilenceWatch;
  #session: SupervisorSession | null = null;
  #lastSeq = 0;
  #ackedSeq = 0;
  #isAcknowledging = false;
  #prepared: Promise<SupervisorSession> | null = null;
  #started: Promise<DriverAdoption> | null = null;
  #following: Promise<void> = Promise.resolve();
  #stopped: Promise<void> | null = null;

  constructor(settings: ProcessDriverSettings) {
    this.#clock = settings.clock;
    this.#log = settings.log;
    this.#supervisor = settings.supervisor ?? createSupervisorProcess(settings);
    const { hangMs: limitMs, silenceMs } = settings.patience ?? defaultSupervisorPatience;
    this.#silenceMs = silenceMs;
    this.#silence = createSilenceWatch({ clock: this.#clock, log: this.#log, limitMs });
  }

  prepare(): void {
    this.#prepared ??= this.#supervisor.ensure(this.#stopping.signal);
    this.#prepared.catch(() => {});
  }

  start(): Promise<DriverAdoption> {
    this.prepare();
    this.#started ??= this.#connect();
    return this.#started;
  }

  stop(options: { leaveSupervisor?: boolean; graceMs?: number } = {}): Promise<void> {
    this.#stopped ??= this.#disconnect(options.leaveSupervisor ?? true, options.graceMs ?? defaultEndGraceMs);
    return this.#stopped;
  }

  async *build(request: BuildRequest, signal: AbortSignal): AsyncGenerator<BuildMessage> {
    yield* this.#link().build(request, signal);
  }

  async startRunner(request: StartRunnerRequest): Promise<RunnerAddress> {
    const session = this.#session;
    const { address } = await this.#link().startRunner(request);
    // A supervisor that died meanwhile took the runner with it, and its end was told without this one.
    if (session !== this.#session) throw unavailable();
    return { host: address };
  }

  async stopRunner(runnerId: string, graceMs: number): Promise<void> {
    await this.#link().stopRunner(runnerId, { graceMs });
  }

  async killRunner(runnerId: string): Promise<void> {
    await this.#link().killRunner(runnerId);
  }

  async readResult(runnerId: string): Promise<Uint8Array> {
    return this.#link().readResult(runnerId);
  }

  async forgetResult(runnerId: string): Promise<void> {
    await this.#link().forgetResult(runnerId);
  }

  openSession(runnerId: string, order: SessionOrder): RunnerSession {
    return this.#link().openSession(runnerId, order);
  }

  async startAttempt(runnerId: string, order: AttemptOrder, body: Uint8Array | Readable): Promise<void> {
    await this.#link().startAttempt(runnerId, order, body);
  }

  async listAttempts(): Promise<AttemptSnapshot[]> {
    return this.#link().listAttempts();
  }

  async readAttempt(attemptId: string): Promise<Readable> {
    return this.#link().readAttempt(attemptId);
  }

  async forgetAttempt(attemptId: string): Promise<void> {
    this.#link().forgetAttempt(attemptId);
  }

  get generation(): string | null {
    return this.#session?.status.bootId ?? null;
  }

  async status(): Promise<SupervisorStatus> {
    return this.#link().status();
  }

  onEvent(listener: (event: SupervisorEvent) => void, kept = keptAtOnce): () => void {
    this.#listeners.set(listener, kept);
    return () => void this.#listeners.delete(listener);
  }

  #link(): SupervisorLink {
    if (!this.#session) throw unavailable();
    return this.#session.link;
  }

  async #connect(): Promise<DriverAdoption> {
    const session = await this.#prepared!;
    this.#enter(session);
    this.#following = this.#follow();
    const { pid, isolation, version } = session.status;
    this.#log.info({ pid, version, isolation: isolation.level, adopted: session.adopted }, 'supervisor connected');
    for (const { message, reason } of isolationGaps(isolation)) this.#log.warn({ reason }, message);
    return { adopted: session.adopted, runners: session.status.runners };
  }

  #enter(session: SupervisorSession): void {
    this.#session = session;
    // Events that the previous server did not acknowledge come again, from the first one kept.
    this.#lastSeq = 0;
    this.#ackedSeq = 0;
    for (const { runnerId, phase } of session.status.runners) if (phase !== 'exited') this.#liveRunners.add(runnerId);
  }

  async #disconnect(leaveSupervisor: boolean, graceMs: number): Promise<void> {
    this.#stopping.abort(new LannerError('shutting_down', 'The server is stopping.'));
    await this.#started?.catch(() => undefined);
    await this.#following;
    // A server that never came to use its supervisor takes away only what it started itself.
    const unused = this.#started === null ? await this.#prepared?.catch(() => null) : null;
    const session = this.#session ?? unused ?? null;
    this.#session = null;
    if (!session) return;
    if (leaveSupervisor || (session === unused && session.adopted)) await session.link.close();
    else await this.#supervisor.end(session, graceMs);
  }

  /** Delivers events for as long as we live, whatever happens to the connection or to the supervisor. */
  async #follow(): Promise<void> {
    const { signal } = this.#stopping;
    let retryMs = firstRetryMs;
    while (!signal.aborted) {
      const session = this.#session;
      if (!session) {
        retryMs = (await this.#restart()) ? firstRetryMs : await this.#pause(retryMs);
        continue;
      }
      const startedAtMs = this.#clock.monotonicMs();
      const limit = createSilenceLimit(this.#clock, this.#silenceMs);
      try {
        for await (const event of session.link.events(this.#lastSeq, AbortSignal.any([signal, limit.signal]))) {
          limit.heard();
          this.#silence.heard();
          this.#deliver(event);
        }
      } catch (error) {
        if (!signal.aborted) this.#log.debug({ err: error }, 'the event stream broke');
      } finally {
        limit.stop();
      }
      if (signal.aborted) return;
      if (this.#clock.monotonicMs() - startedAtMs > longestRetryMs) retryMs = firstRetryMs;
      if (await this.#isGone(session)) await this.#lose(session);
      else retryMs = await this.#pause(retryMs);
    }
  }

  /**
   * True when the supervisor of this session will never answer again. While it merely does not answer it may come back;
   * one that has hung for too long is ended.
   */
  async #isGone({ link, status: { bootId, pid } }: SupervisorSession): Promise<boolean> {
    try {
      const status = await link.status(this.#stopping.signal);
      this.#silence.heard();
      // Another one may have taken its place on the same socket.
      return status.bootId !== bootId;
    } catch (error) {
      if (this.#stopping.signal.aborted) return false;
      // Nobody listens: its process id says nothing, it may be another's by now.
      if (isRefused(error) || !this.#supervisor.isAlive(pid)) return true;
      if (!this.#silence.askedInVain(pid)) return false;
      return this.#supervisor.endHanging(pid);
    }
  }

  /** The supervisor is gone, and its runners with it: everybody is told. */
  async #lose(session: SupervisorSession): Promise<void> {
    if (this.#session !== session) return;
    this.#log.error({ pid: session.status.pid }, 'the supervisor ended; its runners are gone');
    this.#session = null;
    await session.link.close();
    for (const runnerId of [...this.#liveRunners]) {
      this.#tell({
        seq: this.#lastSeq,
        atMs: this.#clock.nowMs(),
        type: 'runner.exited',
        runnerId,
        // Not `crashed`: it says nothing about the app, so nothing is held back because of it.
        exit: {
          reason: 'killed',
          code: null,
          signal: 'SIGKILL',
          message: 'The supervisor of this machine ended, and its runners with it.',
        },
      });
    }
    this.#liveRunners.clear();
  }

  async #restart(): Promise<boolean> {
    try {
      const session = await this.#supervisor.ensure(this.#stopping.signal);
      this.#enter(session);
      this.#log.info({ pid: session.status.pid, adopted: session.adopted }, 'supervisor connected');
      return true;
    } catch (error) {
      if (!this.#stopping.signal.aborted) this.#log.error({ err: error }, 'the supervisor could not be started again');
      return false;
    }
  }

  /** @returns the pause after this one. */
  async #pause(durationMs: number): Promise<number> {
    await this.#clock.sleep(durationMs, this.#stopping.signal).catch(() => undefined);
    return Math.min(durationMs * 2, longestRetryMs);
  }

  #deliver(event: SupervisorEvent): void {
    // After a resumed stream the supervisor may repeat what we have seen.
    if (event.type === 'heartbeat' || event.seq <= this.#lastSeq) return;
    this.#lastSeq = event.seq;
    if (event.type === 'runner.exited') this.#liveRunners.delete(event.runnerId);
    else if (event.type === 'runner.phase') this.#liveRunners.add(event.runnerId);
    this.#tell(event);
    void this.#acknowledge();
  }

  #tell(event: SupervisorEvent): void {
    for (const listener of [...this.#listeners.keys()]) {
      try {
        listener(event);
      } catch (error) {
        this.#log.error({ err: error, type: event.type }, 'a listener of runner events failed');
      }
    }
  }

  /** One acknowledgement at a time, for all events of the last moments. A lost one is made up for by the next. */
  async #acknowledge(): Promise<void> {
    if (this.#isAcknowledging) return;
    this.#isAcknowledging = true;
    try {
      for (let session = this.#session; session && this.#ackedSeq < this.#lastSeq; session = this.#session) {
        await this.#clock.sleep(acknowledgeMs, this.#stopping.signal).catch(() => undefined);
        if (session !== this.#session) continue;
        const seq = this.#lastSeq;
        await Promise.all(Array.from(this.#listeners.values(), (kept) => kept()));
        await session.link.acknowledge({ bootId: session.status.bootId, seq });
        if (session === this.#session) this.#ackedSeq = seq;
      }
    } catch (error) {
      this.#log.debug({ err: error }, 'an acknowledgement was lost');
    } finally {
      this.#isAcknowledging = false;
    }
  }
}

function unavailable(): LannerError {
  return new LannerError(
    'supervisor_unavailable',
    'The supervisor of this machine is being started. Try again in a moment.',
  );
}
