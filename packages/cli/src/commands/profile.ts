import type { CommandContext } from '../command/command-context.ts';
import { defineCommand, type CommandSpec } from '../command/command-spec.ts';
import { printJson, printTable } from '../command/render.ts';
import { outputOptions, type OutputInput } from '../command/shared-options.ts';
import { ConfigEditor } from '../connect/config-editor.ts';
import { configPath } from '../connect/fal-files.ts';
import { CommandError } from '../output.ts';
import { ask, askSecret } from '../terminal/ask.ts';

type ProfileInput = { profile: string };

const argument = { name: 'PROFILE', summary: 'Profile name.' };

const list = defineCommand<OutputInput>({
  name: 'list',
  summary: 'List all profiles.',
  options: outputOptions,
  run: (input, context) => {
    const config = open(context);
    const profiles = config.profiles().map((profile) => ({
      profile,
      is_set: profile === config.profile,
      settings: config.settingsOf(profile),
    }));
    if (input.output === 'json') {
      printJson(context.terminal, { profiles });
      return;
    }
    printTable(
      context.terminal,
      [
        { title: 'Set', value: ({ is_set }) => (is_set ? '*' : '') },
        { title: 'Profile', value: ({ profile }) => profile, whole: true },
        { title: 'Settings', value: ({ settings }) => settings.join(', ') },
      ],
      profiles,
    );
  },
});

const set = defineCommand<ProfileInput>({
  name: 'set',
  summary: "Set default profile. If the profile doesn't exist, you'll be prompted to create it.",
  arguments: [argument],
  run: async ({ profile }, context) => {
    const config = open(context);
    const { terminal } = context;
    const name = terminal.style('cyan', profile);
    if (config.profiles().includes(profile)) {
      makeDefault(config, profile, context, `Default profile set to ${name}.`);
      return;
    }
    if (isSetting(config, profile, context)) return;
    terminal.note(`Profile ${name} does not exist.`);
    const answer = (await ask('Would you like to create it? (y/N): ', context.signal)).trim().toLowerCase();
    if (answer !== 'y' && answer !== 'yes') {
      terminal.print('Profile creation cancelled.');
      return;
    }
    config.createProfile(profile);
    makeDefault(config, profile, context, `Profile ${name} created and set as default.`);
  },
});

const unset = defineCommand<object>({
  name: 'unset',
  summary: 'Unset default profile.',
  run: (_, context) => {
    const config = open(context);
    config.setInternal('profile', undefined);
    config.save();
    context.terminal.print('Default profile unset.');
  },
});

const key = defineCommand<object>({
  name: 'key',
  summary: 'Set key for profile.',
  run: async (_, context) => {
    const { terminal, signal } = context;
    const config = open(context);
    const profile = currentProfile(config);
    const form = terminal.noteStyle(['cyan', 'bold'], 'id:secret');
    terminal.note(
      'Make a key on the page of your platform (https://fal.ai/dashboard/keys), or with `lanner keys create`.',
    );
    terminal.note(`Enter the key in the format ${form}.`);
    let text = await askSecret('Enter the key: ', signal);
    while (!/^[^:]+:.+/.test(text.trim())) {
      terminal.note(terminal.noteStyle('yellow', `Invalid key. The key must be in the format: ${form}.`));
      text = await askSecret('Enter the key: ', signal);
    }
    config.setInProfile(profile, 'key', text.trim());
    config.save();
    terminal.print(`Key set for profile ${terminal.style('cyan', profile)}.`);
  },
});

const host = defineCommand<{ host: string }>({
  name: 'host',
  summary: 'Set the host of the profile.',
  arguments: [{ name: 'HOST', summary: 'gRPC host, name[:port].' }],
  run: (input, context) => {
    const config = open(context);
    config.setInProfile(currentProfile(config), 'host', input.host);
    config.save();
    context.terminal.print(`Fal host set to ${context.terminal.style('cyan', input.host)}.`);
  },
});

const create = defineCommand<ProfileInput>({
  name: 'create',
  summary: 'Create a new profile.',
  arguments: [argument],
  run: ({ profile }, context) => {
    const config = open(context);
    const { terminal } = context;
    const name = terminal.style('cyan', profile);
    if (config.profiles().includes(profile)) {
      terminal.print(`Profile ${name} already exists.`);
      return;
    }
    if (isSetting(config, profile, context)) return;
    config.createProfile(profile);
    terminal.print(`Profile ${name} created. Setting it as default profile...`);
    makeDefault(config, profile, context, `Default profile set to ${name}.`);
  },
});

const remove = defineCommand<ProfileInput>({
  name: 'delete',
  summary: 'Delete profile.',
  arguments: [argument],
  run: ({ profile }, context) => {
    const config = open(context);
    const name = context.terminal.style('cyan', profile);
    if (!config.profiles().includes(profile)) {
      context.terminal.print(`Profile ${name} does not exist.`);
      return;
    }
    if (config.defaultProfile === profile) config.setInternal('profile', undefined);
    config.deleteProfile(profile);
    config.save();
    context.terminal.print(`Profile ${name} deleted.`);
  },
});

export const profileCommand: CommandSpec = {
  name: 'profile',
  summary: '',
  subcommands: [list, set, unset, key, host, create, remove],
};

/** The file that `FAL_CONFIG_PATH` names, else `~/.fal/config.toml`. */
function open({ environment }: CommandContext): ConfigEditor {
  return new ConfigEditor(configPath(environment), environment['LANNER_PROFILE'] || environment['FAL_PROFILE']);
}

function currentProfile(config: ConfigEditor): string {
  if (config.profile !== undefined) return config.profile;
  throw new CommandError('No profile set.', 'Use `lanner profile set NAME` to set a profile.');
}

function makeDefault(config: ConfigEditor, profile: string, { terminal }: CommandContext, message: string): void {
  config.setInternal('profile', profile);
  config.save();
  terminal.print(message);
  if (!config.hasKey(profile)) terminal.print('No key set for profile. Use `lanner profile key` to set a key.');
}

function isSetting(config: ConfigEditor, name: string, { terminal }: CommandContext): boolean {
  if (name !== '__internal__' && !config.hasGlobalSetting(name)) return false;
  terminal.print(`Global setting ${terminal.style('cyan', name)} cannot be used as a profile name.`);
  return true;
}
