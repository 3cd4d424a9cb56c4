/** Who wants to hear of changes, by request id. */
export class RequestListeners {
  readonly #listeners = new Map<string, Set<() => void>>();

  add(requestId: string, listener: () => void): () => void {
    const listeners = this.#listeners.get(requestId) ?? new Set();
    this.#listeners.set(requestId, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(requestId) === listeners) this.#listeners.delete(requestId);
    };
  }

  tell(requestId: string): void {
    const listeners = this.#listeners.get(requestId);
    if (listeners) for (const listener of [...listeners]) listener();
  }

  tellAll(): void {
    for (const requestId of [...this.#listeners.keys()]) this.tell(requestId);
  }
}
