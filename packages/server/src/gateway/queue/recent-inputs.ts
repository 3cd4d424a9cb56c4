import type { StoredInput } from '../../queue/request-store.ts';

const maxInputs = 256;
/** Larger ones are read from the store again. */
const maxBodyBytes = 16 * 1024;

/** Inputs of requests that were submitted a moment ago: most are taken up at once, and need not be read from the store. */
export class RecentInputs {
  readonly #inputs = new Map<string, StoredInput>();

  keep(requestId: string, input: StoredInput): void {
    if (input.body.blob !== null || input.body.sizeBytes > maxBodyBytes) return;
    if (this.#inputs.size >= maxInputs) this.#inputs.delete(this.#inputs.keys().next().value!);
    this.#inputs.set(requestId, input);
  }

  take(requestId: string): StoredInput | null {
    const input = this.#inputs.get(requestId) ?? null;
    this.#inputs.delete(requestId);
    return input;
  }
}
