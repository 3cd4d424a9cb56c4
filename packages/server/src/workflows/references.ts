import type { Json } from '@lanner/protocol';

/** Where a value comes from: `$node.images.0.url`. */
export interface Reference {
  /** `input` or the id of a node. */
  variable: string;
  /** Keys of objects and indexes of lists, outermost first. */
  path: (string | number)[];
  /** As it was written. */
  text: string;
}

/** A reference that is none, or that leads nowhere. The message is for people. */
export class ReferenceProblem extends Error {}

const identifier = /^[\p{ID_Start}_]\p{ID_Continue}*$/u;

/** Every string that begins so is a reference as a whole (data-plane 7.2): nothing is put into the middle of a text. */
export function isReference(value: Json): value is string {
  return typeof value === 'string' && value.startsWith('$');
}

/**
 * Reads `$variable.key.0`: segments of digits are indexes, identifiers are keys.
 * @throws ReferenceProblem for anything else.
 */
export function parseReference(text: string): Reference {
  const [variable = '', ...parts] = text.slice(1).split('.');
  if (!text.startsWith('$') || variable === '') {
    throw new ReferenceProblem(`"${shorten(text)}" names no node. Write $input or $node_id, then .key or .0.`);
  }
  const path = parts.map((part) => {
    if (/^\d{1,9}$/.test(part)) return Number(part);
    if (identifier.test(part)) return part;
    throw new ReferenceProblem(
      `"${shorten(text)}" has the segment "${shorten(part)}", which is neither a number nor an identifier.`,
    );
  });
  return { variable, path, text };
}

/** Every reference in a value, in order. Throws what `parseReference` throws. */
export function findReferences(value: Json): Reference[] {
  if (isReference(value)) return [parseReference(value)];
  if (Array.isArray(value)) return value.flatMap(findReferences);
  if (typeof value === 'object' && value !== null) return Object.values(value).flatMap(findReferences);
  return [];
}

/**
 * The value with every reference replaced by what it stands for. What is put in is not looked at again: a caller's text that
 * begins with `$` stays a text.
 * @throws ReferenceProblem when a reference leads nowhere.
 */
export function hydrate(value: Json, variables: ReadonlyMap<string, Json>): Json {
  if (isReference(value)) return resolve(parseReference(value), variables);
  if (Array.isArray(value)) return value.map((each) => hydrate(each, variables));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, hydrate(each, variables)]));
  }
  return value;
}

function resolve(reference: Reference, variables: ReadonlyMap<string, Json>): Json {
  let value = variables.get(reference.variable);
  if (value === undefined) {
    throw new ReferenceProblem(`"${shorten(reference.text)}": there is no value "${shorten(reference.variable)}".`);
  }
  for (const segment of reference.path) {
    const next = step(value, segment);
    if (next === undefined) {
      throw new ReferenceProblem(
        `"${shorten(reference.text)}": ${describe(value)} has no ${describeSegment(segment)}.`,
      );
    }
    value = next;
  }
  return value;
}

function step(value: Json, segment: string | number): Json | undefined {
  if (typeof segment === 'number') return Array.isArray(value) ? value[segment] : undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return Object.hasOwn(value, segment) ? value[segment] : undefined;
}

function describeSegment(segment: string | number): string {
  return typeof segment === 'number' ? `item ${segment}` : `key "${shorten(segment)}"`;
}

function describe(value: Json): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

function shorten(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 80)}…`;
}
