import type { WorkflowGraph } from './graph.ts';

/** How far a node has come; a node without state has not begun. */
export type StepState = 'running' | 'done' | 'failed' | 'skipped';

export interface Plan {
  /** Nodes to begin now: all they wait for is done. */
  start: string[];
  /** Nodes that can never begin, because something they wait for failed. */
  skip: string[];
  /** Set when nothing is left to do. `failed`: the node without which there is no output. */
  end: { kind: 'output' } | { kind: 'failed'; nodeId: string } | null;
}

/**
 * What to do next in a workflow. A node begins as soon as all it waits for is done, so independent nodes run side by side. A
 * failure ends the workflow at once when the output needs that node; otherwise what depends on it is left out and the rest
 * goes on, up to its output.
 */
export function planSteps(graph: WorkflowGraph, states: ReadonlyMap<string, StepState>): Plan {
  const plan: Plan = { start: [], skip: [], end: null };
  const failed = [...graph.neededForOutput].find((id) => states.get(id) === 'failed');
  if (failed !== undefined) return { ...plan, end: { kind: 'failed', nodeId: failed } };
  const lost = new Set([...states].filter(([, state]) => state === 'failed' || state === 'skipped').map(([id]) => id));
  // A node may come before what it waits for, so one pass is not enough.
  for (let grows = true; grows;) {
    grows = false;
    for (const [id, needs] of graph.needs) {
      if (states.has(id) || lost.has(id) || ![...needs].some((need) => lost.has(need))) continue;
      lost.add(id);
      plan.skip.push(id);
      grows = true;
    }
  }
  for (const [id, needs] of graph.needs) {
    if (states.has(id) || lost.has(id)) continue;
    if ([...needs].every((need) => states.get(need) === 'done')) plan.start.push(id);
  }
  const isIdle = plan.start.length === 0 && ![...states.values()].includes('running');
  return isIdle ? { ...plan, end: { kind: 'output' } } : plan;
}
