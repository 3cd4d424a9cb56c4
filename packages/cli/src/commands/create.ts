import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { defineCommand } from '../command/command-spec.ts';
import { CommandError, UsageError } from '../output.ts';
import { ask } from '../terminal/ask.ts';
import { toShellWord } from '../shell-word.ts';
import { appProjectFiles, classNameOf } from './create-files.ts';

interface CreateInput {
  projectType: 'app';
  name?: string;
  directory?: string;
}

export const createCommand = defineCommand<CreateInput>({
  name: 'create',
  summary: '',
  description: 'Write a ready project into a folder of its name; it deploys as it stands.',
  arguments: [
    { name: 'project_type', summary: 'Type of project to create.', choices: ['app'] },
    { name: 'name', required: false, summary: 'Name of the application, e.g. my-app. Asked for on a terminal.' },
  ],
  options: [{ flags: '--directory <folder>', summary: 'Folder to write into. Default: one of the name.' }],
  examples: ['lanner create app my-app'],
  run: async (input, { terminal, signal }) => {
    const name = checkName(input.name ?? (terminal.isInteractive ? await askForName(signal) : 'my-app'));
    const folder = resolve(input.directory ?? name);
    if (existsSync(folder) && readdirSync(folder).length > 0) {
      throw new CommandError(`The folder ${folder} is not empty.`, 'Choose another name, or another --directory.');
    }
    mkdirSync(folder, { recursive: true });
    for (const [path, text] of Object.entries(appProjectFiles(name))) writeFileSync(join(folder, path), text);
    const shown = relative(process.cwd(), folder) || '.';
    terminal.print(`Created ${shown} with the app ${classNameOf(name)}.`);
    terminal.note(`Next: cd ${toShellWord(shown)} && lanner deploy`);
  },
});

async function askForName(signal: AbortSignal): Promise<string> {
  return (await ask('Name of the app (my-app): ', signal)).trim() || 'my-app';
}

/** What a platform takes as the name of an app, and a folder can be called. */
function checkName(name: string): string {
  if (/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name)) return name;
  throw new UsageError(
    `"${name}" cannot be the name of an app.`,
    'Use small letters, digits and single dashes, beginning with a letter: my-app.',
  );
}
