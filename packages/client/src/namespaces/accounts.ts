import { parseAccount, parseTeams, type AccountInfo } from '../records/account.ts';
import type { Settings } from '../resolve/settings.ts';
import type { CallOptions } from '../transport/call-options.ts';
import type { HttpClient } from '../transport/http-client.ts';
import { Listing } from '../transport/listing.ts';

/**
 * Who the credentials speak for: `fal account …`, `fal auth whoami`.
 *
 * @example
 * ```ts
 * console.log((await client.accounts.current()).nickname);
 * ```
 */
export class AccountsNamespace {
  readonly #settings: Settings;
  readonly #http: HttpClient;

  /** @internal */
  constructor(settings: Settings, http: HttpClient) {
    this.#settings = settings;
    this.#http = http;
  }

  /**
   * The account a key belongs to, or the one the login acts for.
   *
   * @example
   * ```ts
   * const { nickname } = await client.accounts.current();
   * await client.run(`${nickname}/my-app`);
   * ```
   */
  async current(options: CallOptions = {}): Promise<AccountInfo> {
    return parseAccount(await this.#http.json(`${this.#settings.hosts().accountUrl}/users/current`, options));
  }

  /**
   * The accounts the credentials may act for, the personal one first, then by name.
   *
   * @example
   * ```ts
   * for (const account of await client.accounts.teams()) console.log(account.nickname, account.isPersonal);
   * ```
   */
  teams(options: CallOptions = {}): Listing<AccountInfo> {
    return new Listing(async () => {
      const url = `${this.#settings.hosts().accountUrl}/users/teams`;
      const teams = parseTeams(await this.#http.json(url, options));
      return teams.sort((a, b) => Number(b.isPersonal) - Number(a.isPersonal) || a.nickname.localeCompare(b.nickname));
    });
  }
}
