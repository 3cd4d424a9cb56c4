import { isLannerError, LannerError, type Json } from '@lanner/protocol';
import type { WorkflowNode } from './contents-schema.ts';
import { inputVariable, type WorkflowGraph } from './graph.ts';
import { planSteps, type StepState } from './plan-steps.ts';
import { hydrate, ReferenceProblem } from './references.ts';
import { stepRequestId, type StepAnswer, type StepCalls } from './step-calls.ts';
import type { WorkflowEvents } from './workflow-events.ts';

/** How a run ended; what the caller gets. */
export interface WorkflowAnswer {
  status: number;
  body: Json;
}

export interface WorkflowRunOptions {
  /** Of the workflow itself. */
  requestId: string;
  graph: WorkflowGraph;
  /** What the caller sent. */
  input: Json;
  calls: StepCalls;
  /** Told what happens. */
  events: WorkflowEvents;
}

interface Failure {
  message: string;
  app: string | null;
  answer: { status: number; body: Json };
}

const longestDetail = 500;

/**
 * One run of a workflow. All it knows can be found again: node calls have ids that follow from the run's own, and their results
 * are kept by the queue. So a run that was cut off is simply begun again.
 */
export class WorkflowRun {
  readonly #options: WorkflowRunOptions;
  readonly #states = new Map<string, StepState>();
  readonly #variables: Map<string, Json>;
  readonly #failures = new Map<string, Failure>();
  /** Stops watching a node's call. */
  readonly #watched = new Map<string, () => void>();
  #wake: PromiseWithResolvers<void> = Promise.withResolvers();
  #defect: unknown;

  constructor(options: WorkflowRunOptions) {
    this.#options = options;
    this.#variables = new Map([[inputVariable, options.input]]);
  }

  /**
   * Runs to the end.
   * @param signal ends it: calls under way are taken back, unless its reason is a LannerError `shutting_down`; then they go on.
   * @throws the signal's reason, or LannerError `shutting_down` when the queue stops.
   */
  async finish(signal: AbortSignal): Promise<WorkflowAnswer> {
    const onAbort = (): void => this.#wake.resolve();
    signal.addEventListener('abort', onAbort);
    let isOver = false;
    try {
      for (;;) {
        signal.throwIfAborted();
        if (this.#defect !== undefined) throw this.#defect;
        const plan = planSteps(this.#options.graph, this.#states);
        for (const id of plan.skip) this.#states.set(id, 'skipped');
        if (plan.end !== null) {
          isOver = true;
          return plan.end.kind === 'output' ? this.#output() : this.#failed(plan.end.nodeId);
        }
        this.#wake = Promise.withResolvers();
        if (signal.aborted) continue;
        for (const id of plan.start) this.#begin(id, this.#options.graph.nodes.get(id)!);
        await this.#wake.promise;
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#stopWatching(isOver || !isShutDown(signal.reason ?? this.#defect));
    }
  }

  #begin(id: string, node: WorkflowNode): void {
    this.#states.set(id, 'running');
    if (node.type === 'display') return this.#display(id, node.fields);
    const requestId = stepRequestId(this.#options.requestId, id);
    let isReading = false;
    let isStale = false;
    const look = async (): Promise<void> => {
      isStale = isReading;
      if (isReading) return;
      isReading = true;
      do {
        isStale = false;
        const answer = await this.#options.calls.read(requestId);
        if (answer !== null && answer !== 'live') return this.#settle(id, node, requestId, answer);
      } while (isStale);
      isReading = false;
    };
    const onProblem = (error: unknown): void => this.#refuse(id, node, error);
    this.#watched.set(
      id,
      this.#options.calls.observe(requestId, () => void look().catch(onProblem)),
    );
    this.#submit(id, node, requestId).then(look).catch(onProblem);
  }

  async #submit(id: string, node: Extract<WorkflowNode, { type: 'run' }>, requestId: string): Promise<void> {
    const { calls } = this.#options;
    // There already when the run was cut off and begun again.
    if ((await calls.read(requestId)) === null) {
      await calls.submit({ requestId, app: node.app, input: hydrate(node.input, this.#variables) });
    }
    this.#options.events.add({ type: 'submit', node_id: id, app_id: node.app, request_id: requestId });
  }

  #display(id: string, fields: Json): void {
    try {
      const output = hydrate(fields, this.#variables);
      this.#options.events.add({ type: 'completion', node_id: id, output });
      this.#done(id, output);
    } catch (error) {
      this.#refuse(id, null, error);
    }
  }

  #settle(id: string, node: Extract<WorkflowNode, { type: 'run' }>, requestId: string, answer: StepAnswer): void {
    if (this.#states.get(id) !== 'running') return;
    const { status, body } = answer;
    if (status >= 200 && status < 300 && body !== undefined) {
      this.#options.events.add({ type: 'completion', node_id: id, output: body });
      return this.#done(id, body);
    }
    const message =
      status >= 200 && status < 300
        ? `The answer of the request ${requestId} is no JSON, or too large to be passed on. Pass large things as files.`
        : `Error while fetching the result of the request ${requestId}`;
    this.#fail(id, { message, app: node.app, answer: { status: status < 400 ? 502 : status, body: body ?? null } });
  }

  /** A node that could not even be called. */
  #refuse(id: string, node: Extract<WorkflowNode, { type: 'run' }> | null, error: unknown): void {
    if (this.#states.get(id) !== 'running') return;
    const app = node?.app ?? null;
    if (error instanceof ReferenceProblem) {
      return this.#fail(id, {
        message: error.message,
        app,
        answer: { status: 422, body: { detail: error.message } },
      });
    }
    if (isLannerError(error) && error.code !== 'internal_error' && error.code !== 'shutting_down') {
      const { message } = error;
      return this.#fail(id, { message, app, answer: { status: error.entry.httpStatus, body: { detail: message } } });
    }
    this.#defect = error;
    this.#wake.resolve();
  }

  #done(id: string, output: Json): void {
    this.#variables.set(id, output);
    this.#leave(id, 'done');
  }

  #fail(id: string, failure: Failure): void {
    this.#failures.set(id, failure);
    this.#options.events.add({ type: 'error', node_id: id, message: failure.message, error: failure.answer });
    this.#leave(id, 'failed');
  }

  #leave(id: string, state: StepState): void {
    this.#states.set(id, state);
    this.#watched.get(id)?.();
    this.#watched.delete(id);
    this.#wake.resolve();
  }

  #output(): WorkflowAnswer {
    try {
      const output = hydrate(this.#options.graph.output, this.#variables);
      this.#options.events.add({ type: 'output', output });
      return { status: 200, body: output };
    } catch (error) {
      if (!(error instanceof ReferenceProblem)) throw error;
      return { status: 422, body: { detail: `The output of the workflow: ${error.message}` } };
    }
  }

  #failed(id: string): WorkflowAnswer {
    const { message, app, answer } = this.#failures.get(id)!;
    const where = app === null ? `Node "${id}"` : `Node "${id}" (${app})`;
    const said = detailOf(answer.body);
    return {
      status: answer.status,
      body: {
        detail: `${where} failed with status ${answer.status}: ${said ?? message}`,
        node_id: id,
        app_id: app,
        error: answer,
      },
    };
  }

  #stopWatching(takesBack: boolean): void {
    for (const [id, stop] of this.#watched) {
      stop();
      if (!takesBack) continue;
      // Whether it is in time or not: nothing waits for its result.
      this.#options.calls.cancel(stepRequestId(this.#options.requestId, id)).catch(() => undefined);
    }
    this.#watched.clear();
  }
}

function isShutDown(reason: unknown): boolean {
  return reason instanceof LannerError && reason.code === 'shutting_down';
}

/** The text an app gives with an error. */
function detailOf(body: Json): string | null {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return null;
  const { detail } = body;
  if (detail === undefined) return null;
  return (typeof detail === 'string' ? detail : JSON.stringify(detail)).slice(0, longestDetail);
}
