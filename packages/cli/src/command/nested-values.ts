import { UsageError } from '../output.ts';

/** One step from a value into a part of it. */
type Step = { kind: 'key'; name: string } | { kind: 'index'; index: number } | { kind: 'append' };
type Json = Record<string, unknown> | unknown[];

/**
 * `key=value` pairs as one JSON value. Keys are paths: `size=big`, `image[width]=512`, `tags[]=a`, `points[0][x]=1`; a path
 * that begins with a bracket builds a list. `=` gives a text, `:=` any JSON (`steps:=30`). A backslash takes `[`, `]`, itself
 * or a number literally. Pure.
 * @throws UsageError that points at the place
 */
export function parseNestedValues(pairs: readonly string[]): Json {
  let root: unknown;
  for (const pair of pairs) {
    const { key, value } = splitPair(pair);
    const steps = parsePath(key);
    root ??= emptyFor(steps[0]!);
    assign(root as Json, steps, value, key);
  }
  return (root ?? {}) as Json;
}

function splitPair(pair: string): { key: string; value: unknown } {
  const at = pair.indexOf('=');
  if (at < 0) {
    throw new UsageError(
      `"${pair}" is not key=value.`,
      'Write key=text, or key:=JSON for numbers, lists and the like.',
    );
  }
  const text = pair.slice(at + 1);
  if (pair[at - 1] !== ':') return { key: pair.slice(0, at), value: text };
  try {
    return { key: pair.slice(0, at - 1), value: JSON.parse(text) as unknown };
  } catch {
    throw new UsageError(
      `The value of "${pair.slice(0, at - 1)}" is not JSON: ${text}`,
      'Use = instead of := for a text.',
    );
  }
}

/** `a[b][0][]` → its steps. */
function parsePath(key: string): Step[] {
  const steps: Step[] = [];
  let at = 0;
  const literal = (): { text: string; isPlain: boolean } => {
    let text = '';
    let isPlain = true;
    while (at < key.length && key[at] !== '[' && key[at] !== ']') {
      if (key[at] === '\\' && at + 1 < key.length) {
        const isEscape = '[]\\'.includes(key[at + 1]!) || /^-?\d+$/.test(key.slice(at + 1).split(/[[\]]/)[0]!);
        if (isEscape) {
          isPlain = false;
          at += 1;
        }
      }
      text += key[at++];
    }
    return { text, isPlain };
  };
  if (key[0] !== '[') {
    const { text } = literal();
    steps.push({ kind: 'key', name: text });
  }
  while (at < key.length) {
    if (key[at] !== '[') fail(key, at, "Expecting '['");
    at += 1;
    const start = at;
    const { text, isPlain } = literal();
    if (key[at] !== ']') fail(key, at, "Expecting ']'");
    at += 1;
    if (text === '') steps.push({ kind: 'append' });
    else if (isPlain && /^-?\d+$/.test(text)) {
      if (Number(text) < 0) fail(key, start, 'Negative indexes are not supported.');
      if (Number(text) > mostItems) fail(key, start, `Lists have at most ${mostItems} items.`);
      steps.push({ kind: 'index', index: Number(text) });
    } else if (steps.length === 0) fail(key, start, 'Expecting a number or nothing');
    else steps.push({ kind: 'key', name: text });
  }
  return steps;
}

/** A list is filled up to its highest index. */
const mostItems = 100_000;

function assign(root: Json, steps: readonly Step[], value: unknown, key: string): void {
  let current: unknown = root;
  for (const [position, step] of steps.entries()) {
    const next = steps[position + 1];
    const wanted = next === undefined ? value : emptyFor(next);
    if (step.kind === 'key') {
      if (!isObject(current)) fail(key, 0, `A part of it is ${nameOf(current)} and has no key "${step.name}"`);
      const hasIt = Object.hasOwn(current, step.name);
      if (next === undefined || !hasIt) {
        // A key like __proto__ is a key like every other.
        Object.defineProperty(current, step.name, {
          value: wanted,
          enumerable: true,
          writable: true,
          configurable: true,
        });
      }
      current = current[step.name];
    } else {
      if (!Array.isArray(current)) fail(key, 0, `A part of it is ${nameOf(current)} and no list`);
      const index = step.kind === 'index' ? step.index : current.length;
      while (current.length < index) current.push(null);
      if (next === undefined || current[index] === undefined || current[index] === null) current[index] = wanted;
      current = current[index] as unknown;
    }
  }
}

const emptyFor = (step: Step): Json => (step.kind === 'key' ? {} : []);
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function nameOf(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (value === null) return 'null';
  return typeof value === 'string' ? 'a text' : typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

function fail(key: string, at: number, why: string): never {
  throw new UsageError(`${why}, in "${key}".`, `${key}\n${' '.repeat(at)}^`);
}
