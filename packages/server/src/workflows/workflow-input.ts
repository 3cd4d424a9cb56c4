import type { Json } from '@lanner/protocol';

/** A field that was not sent, in the shape of a validation error (data-plane 2). */
export interface MissingField {
  loc: string[];
  msg: string;
  type: string;
}

/**
 * What a workflow runs with: what the caller sent, and for fields left out the defaults of its input schema. Values are not
 * checked: each app checks what it gets.
 * @returns the input, or the required fields that are missing.
 */
export function completeInput(
  sent: Json,
  schema: Readonly<Record<string, Json>>,
): { input: Json } | { missing: MissingField[] } {
  if (typeof sent !== 'object' || sent === null || Array.isArray(sent)) return { input: sent };
  const { properties, required } = schema;
  const missing = (Array.isArray(required) ? required : []).filter(
    (name): name is string => typeof name === 'string' && !Object.hasOwn(sent, name),
  );
  if (missing.length > 0) {
    return { missing: missing.map((name) => ({ loc: ['body', name], msg: 'Field required', type: 'missing' })) };
  }
  const defaults = Object.entries(isObject(properties) ? properties : {}).flatMap(([name, property]) =>
    isObject(property) && property['default'] !== undefined ? [[name, property['default']] as const] : [],
  );
  return { input: { ...Object.fromEntries(defaults), ...sent } };
}

function isObject(value: Json | undefined): value is { [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
