import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { inspectSettings, isClientError, type SettingsReport } from '@lanner/client';
import type { CommandContext, ConnectionOptions } from '../command/command-context.ts';
import { defineCommand } from '../command/command-spec.ts';
import { printJson } from '../command/render.ts';
import { connectionOptions, outputOptions, type OutputInput } from '../command/shared-options.ts';
import { connectionOf } from '../connect/open-client.ts';
import { CommandError } from '../output.ts';
import { ownVersion } from '../own-version.ts';
import { renderPairs } from '../terminal/table.ts';

const pythonTimeoutMs = 10_000;
const answerTimeoutMs = 5000;

export const doctorCommand = defineCommand<ConnectionOptions & OutputInput>({
  name: 'doctor',
  summary: '',
  description: 'Versions, where commands go and as whom, and whether the platform answers.',
  options: [...outputOptions, ...connectionOptions],
  run: async (input, context) => {
    const [python, platform] = await Promise.all([versionsOfPython(context), platformOf(input, context)]);
    const facts = {
      lanner: ownVersion(),
      node: process.versions.node,
      fal: python.fal,
      isolate: python.isolate,
      python: python.python,
      platform: `${process.platform}-${process.arch}`,
      FAL_HOST: platform.host,
      FAL_KEY: platform.keyId,
    };
    if (input.output === 'json') {
      printJson(context.terminal, { ...facts, account: platform.answers });
      return;
    }
    const pairs: [string, string][] = [
      ['lanner', facts.lanner],
      ['node', facts.node],
      ['', ''],
      ['python', facts.python ?? 'none on PATH'],
      ['fal', facts.fal ?? 'not in that Python: deploys prepare one with uv'],
      ['isolate', facts.isolate ?? ''],
      ['platform', facts.platform],
      ['', ''],
      ['FAL_HOST', `${facts.FAL_HOST} (${platform.hostFrom})`],
      ['FAL_KEY', `${facts.FAL_KEY} (${platform.keyFrom})`],
      ['account', platform.answers ?? platform.failure],
    ];
    context.terminal.print(renderPairs(pairs, context.terminal.style));
  },
});

interface PlatformFacts {
  host: string;
  hostFrom: string;
  keyId: string;
  keyFrom: string;
  /** Nickname of the account, when the platform answered. */
  answers: string | null;
  failure: string;
}

async function platformOf(options: ConnectionOptions, context: CommandContext): Promise<PlatformFacts> {
  let report: SettingsReport;
  let where: string | null = null;
  try {
    const connection = await connectionOf(options, context.environment);
    report = inspectSettings(connection);
    if (report.hostFrom !== null)
      where = connection.environment === context.environment ? report.hostFrom : 'this machine';
  } catch (error) {
    // Nothing to go by: what a client without settings would use is still worth knowing.
    if (!(error instanceof CommandError)) throw error;
    report = inspectSettings({ environment: context.environment });
  }
  const { credentials } = report;
  const facts = {
    host: report.host,
    hostFrom: where ?? report.hostFrom ?? 'the hosted platform',
    keyId: credentials.kind === 'key' ? credentials.keyId : '',
    keyFrom:
      'from' in credentials ? credentials.from : credentials.kind === 'missing' ? 'none' : 'authentication is off',
  };
  try {
    const client = await context.client(options);
    const { nickname } = await client.accounts.current({ signal: context.signal, timeoutMs: answerTimeoutMs });
    return { ...facts, answers: nickname, failure: '' };
  } catch (error) {
    if (!(error instanceof CommandError) && !isClientError(error)) throw error;
    return { ...facts, answers: null, failure: `no answer: ${error.message}` };
  }
}

/** What the Python of this folder or PATH holds, as deploys would find it. */
async function versionsOfPython({
  environment,
  signal,
}: CommandContext): Promise<{ python: string | null; fal: string | null; isolate: string | null }> {
  const script = `import json, platform
from importlib import metadata
def version(name):
    try: return metadata.version(name)
    except metadata.PackageNotFoundError: return None
print(json.dumps({"python": platform.python_version(), "fal": version("fal"), "isolate": version("isolate")}))`;
  const folder = environment['VIRTUAL_ENV'];
  const command = folder ? join(folder, 'bin', 'python') : 'python3';
  return new Promise((resolve) => {
    execFile(command, ['-c', script], { timeout: pythonTimeoutMs, signal }, (error, stdout) =>
      resolve(
        error
          ? { python: null, fal: null, isolate: null }
          : (JSON.parse(stdout) as { python: string; fal: string; isolate: string }),
      ),
    );
  });
}
