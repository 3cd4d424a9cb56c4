import { UsageError } from '../output.ts';
import type { OptionSpec } from './command-spec.ts';

/** Which platform and account: every command that talks to one has these. */
export const connectionOptions: readonly OptionSpec[] = [
  { flags: '--team <team>', summary: 'The team to use.' },
  { flags: '--profile <profile>', summary: 'Key and host of this profile, whatever the variables say.' },
  { flags: '--host <host>', summary: 'gRPC host, name[:port].', hidden: true },
  { flags: '--data-dir <folder>', summary: 'The platform that runs on this data folder of this machine.' },
];

/** `--output {pretty,json}` and its short form. */
export const outputOptions: readonly OptionSpec[] = [
  {
    flags: '--output <format>',
    summary: 'Modify the command output.',
    choices: ['pretty', 'json'],
    default: 'pretty',
  },
  { flags: '--json', summary: 'Output in JSON format (same as --output json).', key: 'output', preset: 'json' },
];

export interface OutputInput {
  output: 'pretty' | 'json';
}

/** `--env`, with `FAL_ENV` as its default. */
export const environmentOption: OptionSpec = {
  flags: '--env <env>',
  summary: 'Target environment (defaults to main; LANNER_ENV or FAL_ENV set it too).',
};

/** The environment a command is about. */
export function environmentNameOf(input: { env?: string }, environment: NodeJS.ProcessEnv): string | undefined {
  return input.env ?? (environment['LANNER_ENV'] || environment['FAL_ENV'] || undefined);
}

/** `parse` of a flag that takes a whole number. */
export function parseInteger(text: string): number {
  if (!/^[+-]?\d+$/.test(text.trim())) throw new UsageError(`invalid int value: '${text}'`);
  return Number(text);
}
