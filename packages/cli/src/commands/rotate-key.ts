import { firstKeyDescription, readCredentials, writeCredentials, type DataDir } from '@lanner/server/config';
import type { CommandContext } from '../command/command-context.ts';
import { defineCommand } from '../command/command-spec.ts';
import { chosenDataDir } from '../find-platform.ts';
import { CommandError } from '../output.ts';

export const rotateKeyCommand = defineCommand<{ dataDir?: string }>({
  name: 'rotate-key',
  summary: '',
  description:
    'Makes a new first key, writes it to `credentials` in the data folder, and revokes the one before. The platform has to run. ' +
    'Shells and programs that hold the old key need `lanner env` again.',
  options: [{ flags: '--data-dir <folder>', summary: 'folder of all state (LANNER_HOME, default ~/.lanner)' }],
  run: async (input, context) => rotateKey(chosenDataDir(input.dataDir), context),
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
