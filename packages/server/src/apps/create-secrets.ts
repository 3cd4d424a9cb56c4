import { LannerError, type Clock } from '@lanner/protocol';
import type { ChangeFeed } from '../lib/change-feed.ts';
import type { Secrets } from './environments-and-secrets.ts';
import type { SecretBox } from './secret-box.ts';
import type { SecretStore } from './secret-store.ts';

const longestName = 256;
/** The kernel takes at most 128 KiB for one variable of a process. */
const largestValueBytes = 64 * 1024;

/** Secrets over a store that sees sealed values alone. */
export function createSecrets(options: {
  store: SecretStore;
  box: SecretBox;
  clock: Clock;
  changeFeed: ChangeFeed;
}): Secrets {
  const { store, box, clock, changeFeed } = options;
  return {
    async set(accountId, environmentName, name, value, defaultExposed) {
      assertSecretName(name);
      assertSecretValue(name, value);
      const nowMs = clock.nowMs();
      const sealedValue = box.seal(value, [accountId, environmentName, name]);
      const stored = await store.put(
        { accountId, environmentName, name, sealedValue, defaultExposed, createdAtMs: nowMs },
        nowMs,
      );
      if (!stored) {
        throw new LannerError(
          'not_found',
          `Environment "${environmentName.slice(0, 100)}" was not found in this account. Create it with \`fal environments create\`.`,
        );
      }
      changeFeed.publish({ type: 'secret.changed', accountId, environmentName, name });
    },

    async unset(accountId, environmentName, name) {
      if (!(await store.remove(accountId, environmentName, name))) {
        throw new LannerError(
          'not_found',
          `Secret "${name.slice(0, 100)}" was not found in environment "${environmentName.slice(0, 100)}". \`fal secrets list\` shows the names.`,
        );
      }
      changeFeed.publish({ type: 'secret.changed', accountId, environmentName, name });
    },

    list: (accountId, environmentName) => store.list(accountId, environmentName),

    async valuesForRunner(accountId, environmentName, names) {
      const secrets = await store.findSealed(accountId, environmentName, names);
      return Object.fromEntries(
        secrets.map(({ name, sealedValue }) => [name, box.open(sealedValue, [accountId, environmentName, name])]),
      );
    },
  };
}

/** Secrets become environment variables. @throws LannerError `invalid_argument`. */
function assertSecretName(name: string): void {
  if (name.length <= longestName && /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return;
  throw new LannerError(
    'invalid_argument',
    `"${name.slice(0, 100)}" cannot be the name of a secret: it becomes an environment variable. Use letters, digits and "_", ` +
      'beginning with a letter or "_".',
  );
}

function assertSecretValue(name: string, value: string): void {
  const sizeBytes = Buffer.byteLength(value);
  if (sizeBytes > largestValueBytes) {
    throw new LannerError(
      'invalid_argument',
      `The value of secret "${name}" has ${sizeBytes} bytes; ${largestValueBytes} are allowed.`,
    );
  }
  if (value.includes('\0')) {
    throw new LannerError(
      'invalid_argument',
      `The value of secret "${name}" holds a NUL character, which no environment variable can.`,
    );
  }
}
