import type { Json } from '@lanner/protocol';

/** A node that calls `alice/app` with `{ value }`. */
export function runNode(id: string, value: Json, app = 'alice/app'): { [key: string]: Json } {
  return { type: 'run', id, depends: [], app, input: { value } };
}

/** Contents with these nodes that return `{ value: output }`. */
export function contentsOf(nodes: { [id: string]: { [key: string]: Json } }, output: Json): { [key: string]: Json } {
  return { name: 'sample', version: '0.1', schema: { input: {}, output: {} }, nodes, output: { value: output } };
}
