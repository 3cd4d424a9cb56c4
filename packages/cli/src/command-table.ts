import type { CommandEntry, CommandSpec } from './command/command-spec.ts';

/**
 * Every command of `lanner`, in the order of its help. A module is loaded when its command is called, or when help,
 * completions or docs need all of them.
 */
export const commandTable: readonly CommandEntry[] = [
  {
    name: 'serve',
    summary: 'Start a platform on this machine.',
    load: async () => (await import('./commands/platform.ts')).serveCommand,
  },
  {
    name: 'stop',
    summary: 'End the platform: server, supervisor and runners.',
    load: async () => (await import('./commands/platform.ts')).stopCommand,
  },
  {
    name: 'env',
    summary: 'Print the variables by which official clients find the platform.',
    load: async () => (await import('./commands/platform.ts')).envCommand,
  },
  {
    name: 'exec',
    summary: "Run a command for which fal's own host names lead to the platform.",
    load: async () => (await import('./commands/platform.ts')).execCommand,
  },
  {
    name: 'rotate-key',
    summary: 'Replace the first key, the one in `credentials`.',
    load: async () => (await import('./commands/rotate-key.ts')).rotateKeyCommand,
  },
  {
    name: 'rotate-secrets-key',
    summary: 'Replace the key that secrets are encrypted with.',
    load: async () => (await import('./commands/rotate-secrets-key.ts')).rotateSecretsKeyCommand,
  },
  {
    name: 'deploy',
    summary: 'Deploy an application.',
    load: async () => (await import('./commands/deploy.ts')).deployCommand,
  },
  {
    name: 'run',
    summary: 'Run a function, or an application while the command lives.',
    load: async () => (await import('./commands/run.ts')).runCommand,
  },
  {
    name: 'apps',
    aliases: ['app'],
    summary: 'Manage applications.',
    load: async () => (await import('./commands/apps.ts')).appsCommand,
  },
  {
    name: 'runners',
    aliases: ['machine'],
    summary: 'Manage runners.',
    load: async () => (await import('./commands/runners.ts')).runnersCommand,
  },
  {
    name: 'api',
    summary: 'Call an endpoint of an application.',
    load: async () => (await import('./commands/api.ts')).apiCommand,
  },
  {
    name: 'queue',
    summary: 'Manage application queues.',
    load: async () => (await import('./commands/queue.ts')).queueCommand,
  },
  {
    name: 'webhooks',
    aliases: ['webhook'],
    summary: 'See, replay and sign webhooks.',
    load: async () => (await import('./commands/webhooks.ts')).webhooksCommand,
  },
  {
    name: 'secrets',
    aliases: ['secret'],
    summary: 'Manage secrets.',
    load: async () => (await import('./commands/secrets.ts')).secretsCommand,
  },
  {
    name: 'environments',
    aliases: ['envs'],
    summary: 'Manage environments.',
    load: async () => (await import('./commands/environments.ts')).environmentsCommand,
  },
  {
    name: 'keys',
    aliases: ['key'],
    summary: 'Manage keys.',
    load: async () => (await import('./commands/keys.ts')).keysCommand,
  },
  {
    name: 'files',
    aliases: ['file'],
    summary: 'Manage the files of /data.',
    load: async () => (await import('./commands/files.ts')).filesCommand,
  },
  {
    name: 'profile',
    aliases: ['profiles'],
    summary: 'Manage profiles: named keys and hosts.',
    load: async () => (await import('./commands/profile.ts')).profileCommand,
  },
  {
    name: 'auth',
    summary: 'Log in to the hosted platform and out, and show who you are.',
    load: async () => (await import('./commands/auth.ts')).authCommand,
  },
  {
    name: 'account',
    aliases: ['accounts', 'team', 'teams'],
    summary: 'Manage accounts.',
    load: async () => (await import('./commands/account.ts')).accountCommand,
  },
  {
    name: 'create',
    summary: 'Create an application project.',
    load: async () => (await import('./commands/create.ts')).createCommand,
  },
  {
    name: 'doctor',
    summary: 'Show versions, where commands go, and whether the platform answers.',
    load: async () => (await import('./commands/doctor.ts')).doctorCommand,
  },
  {
    name: 'completion',
    summary: 'Generate shell completion scripts.',
    load: async () => (await import('./commands/completion.ts')).completionCommand,
  },
];

/** Finds a command by name or alias. */
export function findEntry(word: string): CommandEntry | undefined {
  return commandTable.find((entry) => entry.name === word || entry.aliases?.includes(word));
}

/** All specs, names and aliases as in the table. */
export async function loadAllCommands(): Promise<CommandSpec[]> {
  return Promise.all(commandTable.map(loadEntry));
}

/** The spec of an entry, under the entry's own name, aliases and summary. */
export async function loadEntry(entry: CommandEntry): Promise<CommandSpec> {
  const { name, aliases, summary } = entry;
  return { ...(await entry.load()), name, summary, ...(aliases ? { aliases } : {}) };
}
