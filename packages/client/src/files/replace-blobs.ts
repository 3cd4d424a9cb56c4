/**
 * A value with every Blob in it, at any depth of lists and plain objects, replaced by what `upload` returns for it. Values
 * without one are given back as they are, at once.
 */
export function replaceBlobs<Value>(value: Value, upload: (blob: Blob) => Promise<string>): Promise<Value> | Value {
  return holdsBlob(value, new Set()) ? (replace(value, upload, []) as Promise<Value>) : value;
}

/** @param seen objects above this one: a loop is JSON's to complain about. */
function holdsBlob(value: unknown, seen: Set<unknown>): boolean {
  if (value instanceof Blob) return true;
  if (!isContainer(value) || seen.has(value)) return false;
  seen.add(value);
  const holds = Object.values(value).some((inner) => holdsBlob(inner, seen));
  seen.delete(value);
  return holds;
}

async function replace(
  value: unknown,
  upload: (blob: Blob) => Promise<string>,
  above: readonly object[],
): Promise<unknown> {
  if (value instanceof Blob) return upload(value);
  if (!isContainer(value) || above.includes(value)) return value;
  const within = [...above, value];
  if (Array.isArray(value)) return Promise.all(value.map((inner) => replace(inner, upload, within)));
  const entries = Object.entries(value).map(
    async ([name, inner]) => [name, await replace(inner, upload, within)] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}

function isContainer(value: unknown): value is object {
  if (Array.isArray(value)) return true;
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
