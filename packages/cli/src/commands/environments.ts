import type { ConnectionOptions } from '../command/command-context.ts';
import { defineCommand, type CommandSpec } from '../command/command-spec.ts';
import { printJson, printTable } from '../command/render.ts';
import { connectionOptions, outputOptions, type OutputInput } from '../command/shared-options.ts';
import { ask } from '../terminal/ask.ts';
import { pythonTime } from '../terminal/python-text.ts';

const list = defineCommand<ConnectionOptions & OutputInput>({
  name: 'list',
  summary: 'List environments.',
  options: [...outputOptions, ...connectionOptions],
  run: async (input, context) => {
    const client = await context.client(input);
    const environments = await client.environments.list({ signal: context.signal });
    if (input.output === 'json') {
      printJson(context.terminal, {
        environments: environments.map(({ name, description, isDefault, createdAt }) => ({
          name,
          description,
          is_default: isDefault,
          created_at: pythonTime(createdAt),
        })),
      });
      return;
    }
    printTable(
      context.terminal,
      [
        { title: 'Name', value: ({ name }) => name, whole: true },
        { title: 'Description', value: ({ description }) => description ?? '' },
        { title: 'Default', value: ({ isDefault }) => (isDefault ? 'Yes' : '') },
        { title: 'Created At', value: ({ createdAt }) => pythonTime(createdAt) },
      ],
      environments,
    );
  },
});

const create = defineCommand<ConnectionOptions & { name: string; description?: string }>({
  name: 'create',
  summary: 'Create an environment.',
  arguments: [{ name: 'name', summary: 'Environment name.' }],
  options: [{ flags: '--description <text>', summary: 'Environment description.' }, ...connectionOptions],
  run: async (input, context) => {
    const client = await context.client(input);
    const { name } = await client.environments.create(input.name, {
      description: input.description,
      signal: context.signal,
    });
    context.terminal.print(`Created environment '${name}'`);
  },
});

const remove = defineCommand<ConnectionOptions & { name: string; yes?: boolean }>({
  name: 'delete',
  summary: 'Delete an environment.',
  arguments: [{ name: 'name', summary: 'Environment name.' }],
  options: [{ flags: '--yes', summary: 'Skip confirmation prompt.' }, ...connectionOptions],
  run: async (input, context) => {
    const { terminal, signal } = context;
    const { name } = input;
    if (input.yes !== true) {
      const bullet = terminal.isUnicode ? '•' : '-';
      const warning = terminal.noteStyle(['bold', 'yellow'], 'Warning:');
      terminal.note(`${warning} Deleting environment '${name}' will permanently delete:`);
      terminal.note(`  ${bullet} All secrets in this environment`);
      terminal.note(`  ${bullet} All apps deployed to this environment\n`);
      const answer = await ask(`Type the environment name '${name}' to confirm deletion: `, signal);
      if (answer.trim() !== name) {
        terminal.note(`${terminal.noteStyle('red', 'Deletion cancelled.')} Environment name did not match.`);
        return;
      }
    }
    const client = await context.client(input);
    await client.environments.delete(name, { signal });
    terminal.print(terminal.style('green', `Deleted environment '${name}'`));
  },
});

export const environmentsCommand: CommandSpec = {
  name: 'environments',
  summary: '',
  subcommands: [list, create, remove],
};
