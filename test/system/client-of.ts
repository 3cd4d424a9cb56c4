/** A TypeScript client of a test's platform, with nothing but what `lanner env` prints. */
import { delimiter } from 'node:path';
import { ServerlessClient, type Environment, type ServerlessClientOptions } from '@lanner/client';
import { ensurePythonEnv } from '../../scripts/python-env.ts';
import type { Platform } from './platform.ts';

/** The variables a newcomer's shell has after `eval "$(lanner env)"`, with the test's Python in front. */
export async function variablesOf(platform: Platform): Promise<Environment> {
  const { bin } = await ensurePythonEnv();
  return { HOME: platform.dataDir, PATH: `${bin}${delimiter}${process.env['PATH'] ?? ''}`, ...platform.variables };
}

export async function clientOf(platform: Platform, options: ServerlessClientOptions = {}): Promise<ServerlessClient> {
  return new ServerlessClient({ environment: await variablesOf(platform), ...options });
}
