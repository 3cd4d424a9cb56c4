import type { Json } from '@lanner/protocol';
import { contentsSchema, type WorkflowContents } from './contents-schema.ts';
import { findCycle, inputVariable, needsOf } from './graph.ts';
import { findReferences, ReferenceProblem } from './references.ts';

/** Something wrong with a definition, and where. */
export interface Finding {
  loc: (string | number)[];
  msg: string;
}

const mostNodes = 200;
const deepest = 64;
const appForm = /^(?:(?:workflows|comfy)\/)?[^/\s?#]+\/[^/\s?#]+(?:\/[^\s?#]*)?$/;

/**
 * Reads and checks the contents of a workflow: what is published can be executed.
 * @returns the contents, or everything that is wrong with them.
 */
export function readContents(value: unknown): { contents: WorkflowContents } | { findings: Finding[] } {
  if (depthOf(value) > deepest) {
    return { findings: [{ loc: [], msg: `The contents are nested more than ${deepest} levels deep.` }] };
  }
  const parsed = contentsSchema.safeParse(value);
  if (!parsed.success) {
    return {
      findings: parsed.error.issues.map((issue) => ({
        loc: issue.path.map((part) => (typeof part === 'number' ? part : String(part))),
        msg: issue.message,
      })),
    };
  }
  const contents = parsed.data;
  const findings = [...checkNodes(contents), ...checkOutput(contents)];
  if (findings.length === 0) {
    const needs = new Map(Object.entries(contents.nodes).map(([key, node]) => [key, needsOf(node)]));
    const cycle = findCycle(needs);
    if (cycle !== null) {
      findings.push({ loc: ['nodes', cycle[0]!], msg: `The node waits for itself: ${cycle.join(' needs ')}.` });
    }
  }
  return findings.length === 0 ? { contents } : { findings };
}

function checkNodes({ nodes }: WorkflowContents): Finding[] {
  const ids = Object.keys(nodes);
  if (ids.length > mostNodes) {
    return [{ loc: ['nodes'], msg: `A workflow has up to ${mostNodes} nodes; these are ${ids.length}.` }];
  }
  return Object.entries(nodes).flatMap(([key, node]) => {
    const findings: Finding[] = [];
    const say = (field: string, msg: string): void => void findings.push({ loc: ['nodes', key, field], msg });
    if (node.id !== key) say('id', `The node "${key}" calls itself "${node.id}". Use one id.`);
    if (key === inputVariable) say('id', '"input" is the name of what the caller sends. Name the node otherwise.');
    if (key.includes('.')) say('id', 'An id with a dot cannot be referred to.');
    for (const need of node.depends) {
      if (need !== inputVariable && !Object.hasOwn(nodes, need)) say('depends', `There is no node "${need}".`);
    }
    if (node.type === 'run' && !appForm.test(node.app)) {
      say('app', `"${node.app.slice(0, 80)}" is no app. Write owner/app, with the path behind it.`);
    }
    const field = node.type === 'run' ? 'input' : 'fields';
    for (const msg of checkReferences(node.type === 'run' ? node.input : node.fields, nodes)) say(field, msg);
    return findings;
  });
}

function checkOutput({ output, nodes }: WorkflowContents): Finding[] {
  const isEmpty = output === null || output === '' || (typeof output === 'object' && Object.keys(output).length === 0);
  if (isEmpty) return [{ loc: ['output'], msg: 'The workflow has no output. Say what it returns.' }];
  return checkReferences(output, nodes).map((msg) => ({ loc: ['output'], msg }));
}

function checkReferences(value: Json, nodes: WorkflowContents['nodes']): string[] {
  try {
    return findReferences(value)
      .filter(({ variable }) => variable !== inputVariable && !Object.hasOwn(nodes, variable))
      .map(({ text, variable }) => `"${text.slice(0, 80)}" refers to a node "${variable}", which there is not.`);
  } catch (error) {
    if (error instanceof ReferenceProblem) return [error.message];
    throw error;
  }
}

/** Levels of nesting, counted without recursion and only as far as it matters. */
function depthOf(value: unknown): number {
  let level = [value];
  for (let depth = 0; depth <= deepest; depth += 1) {
    level = level.flatMap((each) => (typeof each === 'object' && each !== null ? Object.values(each as object) : []));
    if (level.length === 0) return depth;
  }
  return deepest + 1;
}
