import type { Json } from '@lanner/protocol';

/** What a workflow's stream tells, in the published form of the hosted platform's workflow events. */
export type WorkflowEvent =
  | { type: 'submit'; node_id: string; app_id: string; request_id: string }
  | { type: 'completion'; node_id: string; output: Json }
  | { type: 'error'; node_id: string; message: string; error: { status: number; body: Json } }
  | { type: 'output'; output: Json };

/** The events of one run: whoever comes late gets them from the first one on. Bounded by the nodes of the workflow. */
export class WorkflowEvents {
  readonly #events: WorkflowEvent[] = [];
  readonly #listeners = new Set<(event: WorkflowEvent) => void>();

  add(event: WorkflowEvent): void {
    this.#events.push(event);
    for (const listener of this.#listeners) listener(event);
  }

  /** Calls back with every event so far and to come. */
  follow(listener: (event: WorkflowEvent) => void): () => void {
    for (const event of this.#events) listener(event);
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
