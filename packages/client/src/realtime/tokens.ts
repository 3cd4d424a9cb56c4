import { ServerError } from '../errors/client-error.ts';
import { readJson, type HttpClient } from '../transport/http-client.ts';

/** Lifetime of the tokens this client makes, in seconds. */
export const tokenLifetimeSeconds = 120;

/** Asks the platform for a short-lived token for one app, as the official clients do: by its name alone. */
export async function fetchToken(
  http: HttpClient,
  accountUrl: string,
  alias: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  const url = `${accountUrl}/tokens/`;
  const response = await http.send(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ allowed_apps: [alias], token_expiration: tokenLifetimeSeconds }),
    signal,
  });
  const answer: unknown = await readJson(response, url);
  const token = typeof answer === 'string' ? answer : (answer as { token?: unknown } | null)?.token;
  if (typeof token === 'string') return token;
  throw new ServerError('unexpected_answer', 'The server gave no token.', { status: response.status });
}

/** Uses a token again until a tenth of its life is left. */
export class TokenCache {
  readonly #fetch: () => Promise<string>;
  readonly #lifetimeMs: number;
  #known: { token: string; untilMs: number } | undefined;

  /** @param lifetimeSeconds 0: used once. */
  constructor(fetch: () => Promise<string>, lifetimeSeconds: number) {
    this.#fetch = fetch;
    this.#lifetimeMs = lifetimeSeconds * 1000;
  }

  async get(): Promise<string> {
    const nowMs = performance.now();
    if (this.#known !== undefined && nowMs < this.#known.untilMs) return this.#known.token;
    const token = await this.#fetch();
    this.#known = { token, untilMs: nowMs + this.#lifetimeMs * 0.9 };
    return token;
  }

  forget(): void {
    this.#known = undefined;
  }
}
