/** What a request to the file host wants. */
export type CdnOperation =
  | { kind: 'upload' }
  | { kind: 'begin-multipart' }
  | { kind: 'read' | 'remove' | 'sign'; objectId: string }
  /** Parts of an object by its own URL, with a token. */
  | { kind: 'object-part'; objectId: string; uploadId: string; partNumber: number }
  | { kind: 'object-complete'; objectId: string; uploadId: string }
  /** By an upload URL, which is the permission itself. */
  | { kind: 'ticket-whole' | 'ticket-complete'; ticket: string }
  | { kind: 'ticket-part' | 'ticket-part-url'; ticket: string; partNumber: number }
  /** The path exists, the method does not. */
  | { kind: 'other-method'; allowed: string };

/** Path below which files are read: the one prefix that the toolkit in runners is let through to. */
export const filePathPrefix = '/files/b/';

/**
 * Sorts a request to the file host (rest-api 2.10). Pure.
 * @param path with or without a query.
 * @returns null: nothing lies at this path.
 */
export function parseCdnPath(method: string, path: string): CdnOperation | null {
  const parts = path.split('?')[0]!.split('/').slice(1);
  const verb = method === 'HEAD' ? 'GET' : method;
  const [area, kind, objectId, ...rest] = parts;
  if (area === 'uploads') return ticketOperation(verb, parts);
  if (area !== 'files') return null;
  if (kind === 'upload' && objectId === undefined) return only(verb, 'POST', { kind: 'upload' });
  if (kind === 'upload' && objectId === 'multipart' && rest.length === 0) {
    return only(verb, 'POST', { kind: 'begin-multipart' });
  }
  if (kind !== 'b' || objectId === undefined || objectId === '') return null;
  return objectOperation(verb, objectId, rest);
}

/** `rest`: the file's name, and what may follow it. The name is for people; the id decides. */
function objectOperation(verb: string, objectId: string, rest: string[]): CdnOperation | null {
  const [, action, uploadId, last, ...more] = rest;
  if (rest.length <= 1) {
    if (verb === 'GET') return { kind: 'read', objectId };
    return only(verb, 'DELETE', { kind: 'remove', objectId }, 'GET, HEAD, DELETE');
  }
  if (action === 'sign' && uploadId === undefined) return only(verb, 'POST', { kind: 'sign', objectId });
  if (action !== 'multipart' || uploadId === undefined || last === undefined || more.length > 0) return null;
  if (last === 'complete') return only(verb, 'POST', { kind: 'object-complete', objectId, uploadId });
  const partNumber = parsePartNumber(last);
  return partNumber === null ? null : only(verb, 'PUT', { kind: 'object-part', objectId, uploadId, partNumber });
}

function ticketOperation(verb: string, [, ticket, last, ...more]: string[]): CdnOperation | null {
  if (ticket === undefined || ticket === '' || more.length > 0) return null;
  if (last === undefined) return only(verb, 'PUT', { kind: 'ticket-whole', ticket });
  if (last === 'complete') return only(verb, 'POST', { kind: 'ticket-complete', ticket });
  const partNumber = parsePartNumber(last);
  if (partNumber === null) return null;
  if (verb === 'PUT') return { kind: 'ticket-part', ticket, partNumber };
  return only(verb, 'POST', { kind: 'ticket-part-url', ticket, partNumber }, 'PUT, POST');
}

const only = (verb: string, wanted: string, operation: CdnOperation, allowed = wanted): CdnOperation =>
  verb === wanted ? operation : { kind: 'other-method', allowed };

const parsePartNumber = (text: string): number | null => (/^[1-9]\d{0,5}$/.test(text) ? Number(text) : null);
