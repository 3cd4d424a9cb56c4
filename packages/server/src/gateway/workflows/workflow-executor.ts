import { LannerError, toLannerError, type AttemptOutcome, type Clock, type Json } from '@lanner/protocol';
import type { Blobs } from '../../blobs/blobs.ts';
import type { Logger } from '../../observe/logger.ts';
import type { AttemptExecutor, LocalAttempt } from '../../queue/attempt-executor.ts';
import type { LiveRequest } from '../../queue/live-request.ts';
import type { StoredInput } from '../../queue/request-store.ts';
import { readContents } from '../../workflows/definition.ts';
import { toGraph, type WorkflowGraph } from '../../workflows/graph.ts';
import type { StepCalls } from '../../workflows/step-calls.ts';
import { WorkflowEvents, type WorkflowEvent } from '../../workflows/workflow-events.ts';
import { completeInput } from '../../workflows/workflow-input.ts';
import { WorkflowRun, type WorkflowAnswer } from '../../workflows/workflow-run.ts';
import type { Workflows } from '../../workflows/workflows.ts';
import { openBody } from '../queue/bodies.ts';
import { readBytes } from './read-bytes.ts';
import { workflowIdOf } from './workflow-targets.ts';

export interface WorkflowExecutorDeps {
  workflows: Pick<Workflows, 'readContents'>;
  stepCalls: (request: LiveRequest, input: StoredInput) => StepCalls;
  blobs: Blobs;
  clock: Clock;
  log: Logger;
}

const largestInputBytes = 16 * 1024 ** 2;

/** Executes workflows: each attempt is one run, and a run that was cut off finds its calls again. */
export class WorkflowExecutor implements AttemptExecutor {
  readonly #deps: WorkflowExecutorDeps;
  readonly #aborts = new Map<string, AbortController>();
  /** By request, from the first one who asks to the end of the run. */
  readonly #events = new Map<string, WorkflowEvents>();
  #isStopped = false;

  constructor(deps: WorkflowExecutorDeps) {
    this.#deps = { ...deps, log: deps.log.child({ component: 'workflows' }) };
  }

  start(attempt: LocalAttempt, onEnd: (outcome: AttemptOutcome) => void): void {
    if (this.#isStopped) return;
    const { clock, log } = this.#deps;
    const { requestId } = attempt.request;
    const startedAtMs = clock.nowMs();
    const abort = new AbortController();
    this.#aborts.set(attempt.attemptId, abort);
    const timer = clock.setTimer(attempt.timeoutMs, () =>
      abort.abort(new LannerError('request_timeout', 'The workflow did not finish in time.')),
    );
    this.#run(attempt, abort.signal)
      .then(
        (answer): AttemptOutcome => toOutcome(answer, startedAtMs, clock.nowMs()),
        (error: unknown): AttemptOutcome | null => {
          if (this.#isStopped) return null;
          const { code } = toLannerError(error);
          if (code === 'shutting_down') return null;
          const durationMs = clock.nowMs() - startedAtMs;
          if (code === 'request_timeout') return { kind: 'failed', failure: 'timeout', startedAtMs, durationMs };
          if (code === 'client_cancelled') return { kind: 'failed', failure: 'disconnected', startedAtMs, durationMs };
          log.error({ err: error, requestId }, 'a workflow failed');
          const detail = 'The workflow could not be executed. The server log has the details.';
          return toOutcome({ status: 500, body: { detail } }, startedAtMs, clock.nowMs());
        },
      )
      .then((outcome) => {
        timer.cancel();
        this.#aborts.delete(attempt.attemptId);
        this.#events.delete(requestId);
        if (outcome !== null) onEnd(outcome);
      })
      .catch((error: unknown) => log.error({ err: error, requestId }, 'the end of a workflow was not taken'));
  }

  cancel(attemptId: string): void {
    this.#aborts.get(attemptId)?.abort(new LannerError('client_cancelled', 'The request was cancelled.'));
  }

  /** Calls back with the events of a request's run, from the first one on, also before the run begins. */
  follow(requestId: string, listener: (event: WorkflowEvent) => void): () => void {
    return this.#eventsOf(requestId).follow(listener);
  }

  /** Nobody follows a request that never began. */
  forget(requestId: string): void {
    this.#events.delete(requestId);
  }

  /** Runs under way are left where they are, for the next server. Idempotent. */
  stop(): void {
    this.#isStopped = true;
    for (const abort of this.#aborts.values()) {
      abort.abort(new LannerError('shutting_down', 'The server is stopping.'));
    }
  }

  #eventsOf(requestId: string): WorkflowEvents {
    let events = this.#events.get(requestId);
    if (events === undefined) {
      events = new WorkflowEvents();
      this.#events.set(requestId, events);
    }
    return events;
  }

  async #run({ request, input }: LocalAttempt, signal: AbortSignal): Promise<WorkflowAnswer> {
    const graph = await this.#readGraph(request);
    if (graph === null) {
      return { status: 404, body: { detail: 'The workflow was deleted, and what it did is not kept any more.' } };
    }
    const read = await this.#readInput(input);
    if ('answer' in read) return read.answer;
    const completed = completeInput(read.value, graph.inputSchema);
    if ('missing' in completed) return { status: 422, body: { detail: completed.missing as unknown as Json } };
    const run = new WorkflowRun({
      requestId: request.requestId,
      graph,
      input: completed.input,
      calls: this.#deps.stepCalls(request, input),
      events: this.#eventsOf(request.requestId),
    });
    return run.finish(signal);
  }

  async #readGraph({ targetId, options }: LiveRequest): Promise<WorkflowGraph | null> {
    const stored = await this.#deps.workflows.readContents(workflowIdOf(targetId)!, options.workflow?.version ?? 1);
    if (stored === null) return null;
    const checked = readContents(stored);
    if ('contents' in checked) return toGraph(checked.contents);
    throw new LannerError('internal_error', `A stored workflow is not valid: ${JSON.stringify(checked.findings)}`);
  }

  async #readInput({ body }: StoredInput): Promise<{ value: Json } | { answer: WorkflowAnswer }> {
    if (body.sizeBytes > largestInputBytes) {
      const detail = `The input of a workflow has up to ${largestInputBytes} bytes. Pass large things as files.`;
      return { answer: { status: 413, body: { detail } } };
    }
    const text = (await readBytes(await openBody(this.#deps.blobs, body))).toString();
    try {
      return { value: text === '' ? {} : (JSON.parse(text) as Json) };
    } catch {
      return { answer: { status: 422, body: { detail: 'The input of the workflow is not valid JSON.' } } };
    }
  }
}

function toOutcome(answer: WorkflowAnswer, startedAtMs: number, endedAtMs: number): AttemptOutcome {
  const bytes = Buffer.from(JSON.stringify(answer.body));
  return {
    kind: 'answered',
    status: answer.status,
    // Node calls were repeated as far as their apps allow; the same once more would end the same.
    headers: { 'content-type': 'application/json', ...(answer.status < 400 ? {} : { 'x-fal-needs-retry': '0' }) },
    sizeBytes: bytes.length,
    body: bytes.toString('base64'),
    startedAtMs,
    durationMs: endedAtMs - startedAtMs,
  };
}
