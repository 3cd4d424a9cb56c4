import type { Accounts } from './auth/accounts.ts';
import type { Keys } from './auth/keys.ts';
import { firstKeyDescription, readCredentials, writeCredentials, type Credentials } from './config/credentials.ts';

/**
 * Makes sure that this installation has an account and that `credentials` holds a key for it. A missing file gets a new
 * key; the old one stays until it is revoked (`lanner rotate-key` does both).
 */
export async function ensureFirstAccount(input: {
  accounts: Pick<Accounts, 'list' | 'create'>;
  keys: Pick<Keys, 'create'>;
  credentialsPath: string;
  nickname: string;
}): Promise<Credentials> {
  const present = readCredentials(input.credentialsPath);
  if (present !== null) return present;
  const [first] = await input.accounts.list();
  const account =
    first ?? (await input.accounts.create({ nickname: input.nickname, fullName: input.nickname, isPersonal: true }));
  const key = await input.keys.create(account.accountId, { preset: 'FULL' }, firstKeyDescription);
  const credentials = { account: account.nickname, key: `${key.keyId}:${key.keySecret}` };
  writeCredentials(input.credentialsPath, credentials);
  return credentials;
}
