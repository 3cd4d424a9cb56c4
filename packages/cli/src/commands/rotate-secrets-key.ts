import { existsSync } from 'node:fs';
import { defineCommand } from '../command/command-spec.ts';
import { chosenDataDir } from '../find-platform.ts';
import { CommandError } from '../output.ts';

export const rotateSecretsKeyCommand = defineCommand<{ dataDir?: string }>({
  name: 'rotate-secrets-key',
  summary: '',
  description:
    'Makes a new `secrets.key` in the data folder and encrypts every secret with it. The platform has to be stopped. ' +
    'Copies of the database made before need the old file: keep it with them.',
  options: [{ flags: '--data-dir <folder>', summary: 'folder of all state (LANNER_HOME, default ~/.lanner)' }],
  run: async (input, { terminal }) => {
    const dataDir = chosenDataDir(input.dataDir);
    if (!existsSync(dataDir.database)) {
      throw new CommandError(`There is no Lanner platform in ${dataDir.root}.`, 'Name its folder with --data-dir.');
    }
    const { rotateSecretsKey } = await import('@lanner/server');
    const count = await rotateSecretsKey(dataDir);
    terminal.print(
      `${dataDir.secretsKey} is new, and ${count} value${count === 1 ? ' is' : 's are'} encrypted with it.`,
    );
  },
});
