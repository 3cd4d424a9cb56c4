/** What changed; caches and the scheduler follow it. Ids only, never values. */
export type Change =
  | { type: 'key.revoked'; keyId: string }
  | { type: 'alias.changed'; aliasId: string; accountId: string; aliasName: string }
  | { type: 'alias.deleted'; aliasId: string; accountId: string; aliasName: string }
  | { type: 'revision.deleted'; revisionId: string; accountId: string }
  | { type: 'secret.changed'; accountId: string; environmentName: string; name: string };

/** In process now; a database notification later. Listeners are called in order, after the change is durable. */
export interface ChangeFeed {
  publish(change: Change): void;
  subscribe(listener: (change: Change) => void): () => void;
}

/** A feed inside one process. A listener that throws does not stop the others; its error goes to `onListenerError`. */
export function createChangeFeed(onListenerError: (error: unknown) => void): ChangeFeed {
  const listeners = new Set<(change: Change) => void>();
  return {
    publish(change) {
      for (const listener of listeners) {
        try {
          listener(change);
        } catch (error) {
          onListenerError(error);
        }
      }
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
