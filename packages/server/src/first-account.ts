import { isLannerError } from '@lanner/protocol';
import type { Account, Accounts } from './auth/accounts.ts';
import type { Keys } from './auth/keys.ts';
import type { Authenticator } from './auth/principal.ts';
import { firstKeyDescription, readCredentials, writeCredentials, type Credentials } from './config/credentials.ts';

export interface FirstAccountInput {
  accounts: Pick<Accounts, 'list' | 'create'>;
  keys: Pick<Keys, 'create'>;
  authenticator: Pick<Authenticator, 'authenticate'>;
  credentialsPath: string;
  /** Of the account, should there be none yet. */
  nickname: string;
  log: { warn(facts: object, message: string): void };
}

/**
 * Makes sure that this installation has an account and that `credentials` holds a key that works. A missing file gets a new
 * key, and so does one whose key was revoked or whose database is gone; a key that is still good stays valid until it is
 * revoked (`lanner rotate-key`).
 */
export async function ensureFirstAccount(input: FirstAccountInput): Promise<Credentials> {
  const { accounts, keys, credentialsPath, nickname, log } = input;
  const present = readCredentials(credentialsPath);
  if (present !== null && (await isGood(present, input))) return present;
  const account: Account =
    (await accounts.list())[0] ?? (await accounts.create({ nickname, fullName: nickname, isPersonal: true }));
  const { keyId, keySecret } = await keys.create(account.accountId, { preset: 'FULL' }, firstKeyDescription);
  const credentials = { account: account.nickname, key: `${keyId}:${keySecret}` };
  writeCredentials(credentialsPath, credentials);
  if (present !== null) log.warn({ credentialsPath, keyId }, 'the first key was no longer valid and has been replaced');
  return credentials;
}

async function isGood({ key }: Credentials, { authenticator }: FirstAccountInput): Promise<boolean> {
  const at = key.indexOf(':');
  try {
    await authenticator.authenticate({ kind: 'key', keyId: key.slice(0, at), keySecret: key.slice(at + 1) });
    return true;
  } catch (error) {
    if (isLannerError(error) && error.code === 'unknown_key') return false;
    throw error;
  }
}
