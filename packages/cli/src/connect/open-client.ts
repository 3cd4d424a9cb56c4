import { ServerlessClient, inspectSettings } from '@lanner/client';
import type { ConnectionOptions } from '../command/command-context.ts';
import { CommandError, note } from '../output.ts';
import { choosePlatform, withoutPlatform } from './choose-platform.ts';
import { ConfigEditor } from './config-editor.ts';
import { configPath } from './fal-files.ts';

/** The client of a command: the one place where options and variables become a connection. */
export async function openClient(
  options: ConnectionOptions,
  environment: NodeJS.ProcessEnv,
): Promise<ServerlessClient> {
  const connection = await connectionOf(options, environment);
  if (options.team !== undefined && inspectSettings(connection).credentials.kind === 'key') {
    note(`--team ${options.team} has no effect: a key belongs to one account, only a login can act for others.`);
  }
  return new ServerlessClient(connection);
}

/**
 * What a client has to be told for these options.
 * @throws CommandError when nothing says which platform is meant, or none runs where one is expected
 */
export async function connectionOf(
  options: ConnectionOptions,
  environment: NodeJS.ProcessEnv,
): Promise<{ environment: NodeJS.ProcessEnv; host?: string; team?: string; profile?: string }> {
  const { host, team } = options;
  const explicit = { ...(host === undefined ? {} : { host }), ...(team === undefined ? {} : { team }) };
  const local = needsLocal(options, environment) ? await import('../find-platform.ts') : null;
  const choice = choosePlatform(
    options,
    () => inspectSettings({ ...explicit, environment }),
    () => local?.findLocalPlatform() ?? null,
  );
  switch (choice.kind) {
    case 'local': {
      const variables = local!.localVariables(choice.folder, environment);
      return { environment: { ...withoutPlatform(environment), ...variables }, ...(team ? { team } : {}) };
    }
    case 'profile': {
      const own = withoutPlatform(environment);
      // Named on purpose, so any host is taken: the guard is for a variable that was mistyped.
      const profileHost = new ConfigEditor(configPath(environment)).hostOf(choice.profile);
      const target = { ...(profileHost === undefined ? {} : { host: profileHost }), ...explicit };
      const { credentials } = inspectSettings({ ...target, environment: own, profile: choice.profile });
      if (credentials.kind === 'missing') throw credentials.error;
      return { ...target, environment: { ...own, LANNER_PROFILE: choice.profile } };
    }
    case 'configured':
      return { ...explicit, environment };
    case 'nowhere':
      throw new CommandError(
        'There is no platform to talk to: no key, no login, and no `lanner serve` runs on this machine.',
        'Start a platform with `lanner serve`, or set FAL_KEY to "<key id>:<key secret>" for the hosted one.',
      );
  }
}

/** Whether the data folders of this machine matter at all; looking at them is not free. */
function needsLocal(options: ConnectionOptions, environment: NodeJS.ProcessEnv): boolean {
  if (options.dataDir !== undefined) return true;
  if (options.profile !== undefined) return false;
  const { credentials } = inspectSettings({ environment });
  return credentials.kind === 'missing' && credentials.code === 'no_credentials';
}
