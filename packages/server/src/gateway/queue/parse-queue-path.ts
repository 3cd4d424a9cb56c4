/** What a path of the queue role asks for, behind `{owner}/{app}` (data-plane 3.1). */
export type QueueOperation =
  | { kind: 'submit' }
  | { kind: 'status' | 'status-stream' | 'result' | 'cancel'; requestId: string };

const requestPath = /^(?:\/[^?]*?)?\/requests\/([^/?]+)(\/status|\/status\/stream|\/stream|\/response|\/cancel)?\/?$/;

/**
 * Tells operations on a request from submits. Every form is served: with and without the app's sub-path in front, with
 * `/response`, with a trailing slash. Only GET, HEAD and PUT are operations: an app may have a route `/requests/…` of its own.
 *
 * @param path what is left of the path behind owner and app, without query.
 */
export function parseQueuePath(method: string, path: string): QueueOperation {
  const isRead = method === 'GET' || method === 'HEAD';
  const match = isRead || method === 'PUT' ? requestPath.exec(path) : null;
  if (match === null) return { kind: 'submit' };
  const requestId = match[1]!;
  const suffix = match[2] ?? '';
  if (method === 'PUT') return suffix === '/cancel' ? { kind: 'cancel', requestId } : { kind: 'submit' };
  switch (suffix) {
    case '':
    case '/response':
      return { kind: 'result', requestId };
    case '/status':
      return { kind: 'status', requestId };
    case '/cancel':
      return { kind: 'submit' };
    default:
      // Asked for its head only, a stream would never end.
      return { kind: method === 'HEAD' ? 'status' : 'status-stream', requestId };
  }
}

/** Whether an id in a path can be one of ours: others are found nowhere, and not repeated in a header. */
export function isRequestId(text: string): boolean {
  return /^[\w.-]{1,128}$/.test(text);
}

/** Parameters of the queue itself; the rest of the query is the app's. */
const ownParameters: ReadonlySet<string> = new Set(['fal_webhook', 'fal_max_queue_length', 'fal_jwt_token']);

/** The query for the app: without the queue's own parameters, otherwise as it was sent. */
export function toAppQuery(query: string): string {
  if (query === '') return '';
  const kept = query
    .slice(1)
    .split('&')
    .filter((pair) => !ownParameters.has(pair.split('=', 1)[0]!));
  return kept.length === 0 || (kept.length === 1 && kept[0] === '') ? '' : `?${kept.join('&')}`;
}
