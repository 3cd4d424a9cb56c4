import { existsSync } from 'node:fs';
import { firstKeyDescription, readCredentials, writeCredentials, type DataDir } from '@lanner/server/config';
import type { CommandContext } from '../command/command-context.ts';
import { defineCommand, type OptionSpec } from '../command/command-spec.ts';
import { chosenDataDir } from '../find-platform.ts';
import { CommandError } from '../output.ts';

const dataDirOption: OptionSpec = {
  flags: '--data-dir <folder>',
  summary: 'folder of all state (LANNER_HOME, default ~/.lanner)',
};

export const rotateKeyCommand = defineCommand<{ dataDir?: string }>({
  name: 'rotate-key',
  summary: '',
  description:
    'Makes a new first key, writes it to `credentials` in the data folder, and revokes the one before. The platform has to run. ' +
    'Shells and programs that hold the old key need `lanner env` again.',
  options: [dataDirOption],
  run: async (input, context) => rotateKey(chosenDataDir(input.dataDir), context),
});

export const rotateSecretsKeyCommand = defineCommand<{ dataDir?: string }>({
  name: 'rotate-secrets-key',
  summary: '',
  description:
    'Makes a new `secrets.key` in the data folder and encrypts every secret with it. The platform has to be stopped. ' +
    'Copies of the database made before need the old file: keep it with them.',
  options: [dataDirOption],
  run: async (input, { terminal }) => {
    const dataDir = chosenDataDir(input.dataDir);
    assertPlatformFolder(dataDir);
    const { rotateSecretsKey } = await import('@lanner/server');
    const count = await rotateSecretsKey(dataDir);
    terminal.print(
      `${dataDir.secretsKey} is new, and ${count} value${count === 1 ? ' is' : 's are'} encrypted with it.`,
    );
  },
});

/** New key, then the file, then the end of the old one: cut off anywhere, a key that works is in the file, and again ends it. */
async function rotateKey(dataDir: DataDir, { client, terminal, signal }: CommandContext): Promise<void> {
  const before = readCredentials(dataDir.credentials);
  const connection = await client({ dataDir: dataDir.root });
  if (before === null) {
    throw new CommandError(`${dataDir.credentials} is missing.`, 'Restart the server: it makes a new key.');
  }
  const { keyId, keySecret } = await connection.keys.create({
    preset: 'FULL',
    description: firstKeyDescription,
    signal,
  });
  writeCredentials(dataDir.credentials, { account: before.account, key: `${keyId}:${keySecret}` });
  const oldId = before.key.slice(0, before.key.indexOf(':'));
  const keys = await connection.keys.list({ signal });
  const outdated = keys.filter((key) => key.keyId !== keyId && key.description === firstKeyDescription);
  // The one in use comes last: it revokes the others.
  for (const key of outdated) if (key.keyId !== oldId) await connection.keys.revoke(key.keyId, { signal });
  if (keys.some((key) => key.keyId === oldId)) await connection.keys.revoke(oldId, { signal });
  terminal.print(`${dataDir.credentials} holds a new key, and the old one is revoked.`);
  terminal.note('Where the old one was used, set the variables again: eval "$(lanner env)"');
}

function assertPlatformFolder(dataDir: DataDir): void {
  if (existsSync(dataDir.database)) return;
  throw new CommandError(`There is no Lanner platform in ${dataDir.root}.`, 'Name its folder with --data-dir.');
}
