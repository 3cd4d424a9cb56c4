import type { Json } from '@lanner/protocol';
import type { WorkflowContents, WorkflowNode } from './contents-schema.ts';
import { findReferences } from './references.ts';

/** Name of the variable that holds what the caller sent. */
export const inputVariable = 'input';

/** A workflow as it is executed. */
export interface WorkflowGraph {
  nodes: ReadonlyMap<string, WorkflowNode>;
  /** Node → the nodes it waits for: those it declares and those it refers to. */
  needs: ReadonlyMap<string, ReadonlySet<string>>;
  output: Json;
  /** JSON Schema of what the caller sends; may be empty. */
  inputSchema: Readonly<Record<string, Json>>;
  /** Nodes without which there is no output, over any number of steps. */
  neededForOutput: ReadonlySet<string>;
}

/** The graph of checked contents. */
export function toGraph(contents: WorkflowContents): WorkflowGraph {
  const nodes = new Map(Object.entries(contents.nodes));
  const needs = new Map([...nodes].map(([id, node]) => [id, needsOf(node)]));
  return {
    nodes,
    needs,
    output: contents.output,
    inputSchema: contents.schema.input,
    neededForOutput: closure(
      findReferences(contents.output).map(({ variable }) => variable),
      needs,
    ),
  };
}

/** What a node waits for. */
export function needsOf(node: WorkflowNode): Set<string> {
  const referred = findReferences(node.type === 'run' ? node.input : node.fields).map(({ variable }) => variable);
  const needs = new Set([...node.depends, ...referred]);
  needs.delete(inputVariable);
  return needs;
}

/** A cycle in what waits for what, as the ids along it; null when there is none. */
export function findCycle(needs: ReadonlyMap<string, ReadonlySet<string>>): string[] | null {
  const done = new Set<string>();
  for (const start of needs.keys()) {
    // Depth first without recursion: a path of thousands of nodes must not exhaust the stack.
    const path: { id: string; rest: Iterator<string> }[] = [];
    const onPath = new Set<string>();
    const enter = (id: string): void => {
      path.push({ id, rest: (needs.get(id) ?? new Set<string>()).values() });
      onPath.add(id);
    };
    if (!done.has(start)) enter(start);
    while (path.length > 0) {
      const { id, rest } = path.at(-1)!;
      const next = rest.next();
      if (next.done === true) {
        path.pop();
        onPath.delete(id);
        done.add(id);
      } else if (onPath.has(next.value)) {
        const ids = path.map((each) => each.id);
        return [...ids.slice(ids.indexOf(next.value)), next.value];
      } else if (!done.has(next.value)) enter(next.value);
    }
  }
  return null;
}

function closure(start: Iterable<string>, needs: ReadonlyMap<string, ReadonlySet<string>>): Set<string> {
  const found = new Set<string>();
  const open = [...start];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (id === inputVariable || found.has(id)) continue;
    found.add(id);
    open.push(...(needs.get(id) ?? []));
  }
  return found;
}
