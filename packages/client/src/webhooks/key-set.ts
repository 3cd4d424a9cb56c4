import { WebhookVerificationError } from './verification-error.ts';

/** A public key ready for use. */
export type VerificationKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

export interface KeySetOptions {
  url: string;
  fetch: typeof fetch;
  nowMs: () => number;
  /** How long a fetched set is used. */
  cacheMs: number;
}

interface Fetched {
  keys: VerificationKey[];
  atMs: number;
}

/** Receivers must not keep a set longer than a day (data-plane 3.7). */
const oldestMs = 24 * 60 * 60 * 1000;
/** An unknown signature may mean a new key. Strangers must not make us fetch all the time. */
const pauseMs = 60_000;
const fetchTimeoutMs = 10_000;
const mostKeys = 32;
const largestSet = 256 * 1024;

/** The keys of a platform, fetched when needed and kept for a while. */
export class KeySet {
  readonly #options: KeySetOptions;
  #fetched: Fetched | null = null;
  #fetching: Promise<Fetched> | null = null;
  #triedAtMs = -Infinity;

  constructor(options: KeySetOptions) {
    this.#options = options;
  }

  /** The keys. One that is older than the cache allows is used on while it cannot be fetched, up to a day. */
  async keys(): Promise<readonly VerificationKey[]> {
    const held = this.#fetched;
    const ageMs = held === null ? Infinity : this.#options.nowMs() - held.atMs;
    if (held !== null && ageMs < this.#options.cacheMs && ageMs >= 0) return held.keys;
    try {
      return (await this.#fetch()).keys;
    } catch (error) {
      if (held !== null && ageMs < oldestMs) return held.keys;
      throw error;
    }
  }

  /** The keys as they are now, or null when they were asked for within the last minute. */
  async refreshed(): Promise<readonly VerificationKey[] | null> {
    if (this.#options.nowMs() - this.#triedAtMs < pauseMs) return null;
    return (await this.#fetch()).keys;
  }

  /** One fetch, however many wait for it. */
  #fetch(): Promise<Fetched> {
    this.#fetching ??= this.#load().finally(() => (this.#fetching = null));
    return this.#fetching;
  }

  async #load(): Promise<Fetched> {
    const { url, nowMs } = this.#options;
    const atMs = nowMs();
    this.#triedAtMs = atMs;
    try {
      const response = await this.#options.fetch(url, { signal: AbortSignal.timeout(fetchTimeoutMs) });
      if (!response.ok) throw new Error(`the answer was ${response.status}`);
      const text = await response.text();
      if (text.length > largestSet) throw new Error(`the answer has ${text.length} characters`);
      const fetched = { keys: await importKeys(JSON.parse(text)), atMs };
      this.#fetched = fetched;
      return fetched;
    } catch (error) {
      throw new WebhookVerificationError('keys_unavailable', `The key set ${url} could not be fetched.`, {
        cause: error,
      });
    }
  }
}

/** Ed25519 keys of a JWK set; others are passed over, because a set may hold more than webhooks need. */
async function importKeys(set: unknown): Promise<VerificationKey[]> {
  const entries = (set as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(entries)) throw new Error('the answer is no JWK set');
  const keys: VerificationKey[] = [];
  for (const entry of entries.slice(0, mostKeys) as ({ kty?: unknown; crv?: unknown; x?: unknown } | null)[]) {
    if (entry?.kty !== 'OKP' || entry.crv !== 'Ed25519' || typeof entry.x !== 'string') continue;
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: entry.x };
    const key = await crypto.subtle.importKey('jwk', jwk, { name: 'Ed25519' }, false, ['verify']).catch(() => null);
    if (key !== null) keys.push(key);
  }
  if (keys.length === 0) throw new Error('the answer holds no Ed25519 key');
  return keys;
}
