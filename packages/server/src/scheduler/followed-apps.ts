import type { Apps, ResolvedApp } from '../apps/apps.ts';
import type { Accounts } from '../auth/accounts.ts';
import type { Change, ChangeFeed } from '../lib/change-feed.ts';
import type { Logger } from '../observe/logger.ts';

export interface FollowedAppsDeps {
  apps: Pick<Apps, 'resolve'>;
  accounts: Pick<Accounts, 'get' | 'list'>;
  changeFeed: ChangeFeed;
  log: Logger;
}

/** Aliases by their id, from memory, and what the change feed says about them. */
export class FollowedApps {
  readonly #deps: FollowedAppsDeps;
  readonly #nicknames = new Map<string, string>();

  constructor(deps: FollowedAppsDeps) {
    this.#deps = deps;
  }

  /** Begins to follow. `onChanged` comes when the alias can be resolved. @returns how to end it. */
  async follow(on: {
    changed: (aliasId: string) => void;
    deleted: (alias: { aliasId: string; aliasName: string }) => void;
  }): Promise<() => void> {
    for (const account of await this.#deps.accounts.list()) this.#nicknames.set(account.accountId, account.nickname);
    return this.#deps.changeFeed.subscribe((change) => {
      if (change.type === 'alias.deleted') on.deleted(change);
      else if (change.type === 'alias.changed') this.#onChanged(change, on.changed);
    });
  }

  /** null for an alias that does not exist. */
  resolve(aliasId: string): ResolvedApp | null {
    const slash = aliasId.indexOf('/');
    const nickname = this.#nicknames.get(aliasId.slice(0, slash));
    return nickname === undefined ? null : this.#deps.apps.resolve(nickname, aliasId.slice(slash + 1));
  }

  #onChanged(
    { accountId, aliasId }: Extract<Change, { type: 'alias.changed' }>,
    changed: (aliasId: string) => void,
  ): void {
    if (this.#nicknames.has(accountId)) return changed(aliasId);
    this.#deps.accounts
      .get(accountId)
      .then((account) => {
        if (account) this.#nicknames.set(account.accountId, account.nickname);
        changed(aliasId);
      })
      .catch((error: unknown) => this.#deps.log.error({ err: error, aliasId }, 'a change was not followed'));
  }
}
