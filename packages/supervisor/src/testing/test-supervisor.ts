import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { blobRelativePath, type Clock, type EnvironmentDefinition, type StartRunnerRequest } from '@lanner/protocol';
import { readHostEnvironment } from '../host-environment.ts';
import { probeIsolation, type Isolation } from '../sandbox/isolation.ts';
import { startSupervisor, type Supervisor } from '../supervisor.ts';
import { createApiClient, type ApiClient } from './api-client.ts';

/** A supervisor of its own data folder, with one built environment. */
export interface TestSupervisor {
  dataDir: string;
  api: ApiClient;
  supervisor: Supervisor;
  environment: EnvironmentDefinition;
  /** Stores a blob; returns its hash. */
  putBlob(bytes: Buffer | string): Promise<string>;
  /** Pickles the function `main` of a piece of Python source; returns the blob's hash. */
  pickle(source: string): Promise<string>;
  /** A start request for such a piece of source. */
  request(source: string, more?: Partial<StartRunnerRequest>): Promise<StartRunnerRequest>;
  stop(): Promise<void>;
}

const testAccount = { accountId: 'acct_test', accountOrdinal: 7 };
/** Git ignores it; uv is installed there once for all test runs. */
export const toolsFolder: string = fileURLToPath(new URL('../../../../.cache/supervisor-tools', import.meta.url));

/** What `startTestSupervisor` and tests that start a process share. */
export function testEnvironmentDefinition(): EnvironmentDefinition {
  return { kind: 'virtualenv', configuration: { requirements: [] } };
}

/** A new data folder; every user of the machine may pass through, as accounts have uids of their own. */
export async function makeDataDir(): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), 'lanner-supervisor-'));
  await chmod(dataDir, 0o700);
  return dataDir;
}

export interface TestOptions {
  clock?: Clock;
  leaseMs?: number;
  /** Without namespaces, as on a machine that has none. */
  isProcessGroup?: boolean;
  /** Added to the environment that it was started with. */
  env?: Record<string, string>;
}

export async function startTestSupervisor(options: TestOptions = {}): Promise<TestSupervisor> {
  const dataDir = await makeDataDir();
  const host = readHostEnvironment({ ...process.env, ...options.env });
  const supervisor = await startSupervisor({
    ...host,
    toolsFolder,
    dataDir,
    ...(options.clock === undefined ? {} : { clock: options.clock }),
    ...(options.isProcessGroup === true ? { isolation: withoutNamespaces(host.hostEnv) } : {}),
    ...(options.leaseMs === undefined ? {} : { leaseMs: options.leaseMs }),
  });
  const api = createApiClient(supervisor.socketPath);
  const environment = testEnvironmentDefinition();
  const build = await api.build({ ...testAccount, environment, force: false });
  if (build.at(-1)?.type !== 'done') throw new Error(`environment: ${JSON.stringify(build)}`);
  return describe({ dataDir, api, supervisor, environment });
}

async function withoutNamespaces(hostEnv: Record<string, string>): Promise<Isolation> {
  return { ...(await probeIsolation(hostEnv)), level: 'process-group', reason: 'for a test' };
}

function describe(base: Pick<TestSupervisor, 'dataDir' | 'api' | 'supervisor' | 'environment'>): TestSupervisor {
  const putBlob = async (bytes: Buffer | string): Promise<string> => {
    const hash = createHash('sha256').update(bytes).digest('hex');
    const path = join(base.dataDir, 'blobs', blobRelativePath(hash));
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(path, bytes, { mode: 0o600 });
    return hash;
  };
  const pickle = async (source: string): Promise<string> => putBlob(await pickleMain(base.dataDir, source));
  return {
    ...base,
    putBlob,
    pickle,
    request: async (source, more = {}) => ({
      ...testAccount,
      runnerId: `run_${randomUUID()}`,
      revisionId: 'rev_1',
      appName: 'me/app',
      environment: base.environment,
      callable: { kind: 'serialized', method: 'cloudpickle', blob: await pickle(source) },
      purpose: 'run',
      runOnMainThread: true,
      startupTimeoutMs: 30_000,
      graceMs: 5000,
      files: [],
      dataMounts: [],
      env: {},
      limits: { memoryMiB: 512, cpus: 2 },
      ...more,
    }),
    async stop() {
      await base.supervisor.stop(0);
      await rm(base.dataDir, { recursive: true, force: true });
    },
  };
}

/** By the interpreter of the built environment: client and runner have to have the same version. */
async function pickleMain(dataDir: string, source: string): Promise<Buffer> {
  const trees = join(dataDir, 'environments', testAccount.accountId, 'trees');
  const tree = (await readdir(trees)).find((name) => !name.startsWith('.'));
  const program = [
    'import base64, sys, cloudpickle',
    'names = {"__name__": "__main__"}',
    'exec(compile(sys.argv[1], "app.py", "exec"), names)',
    'print(base64.b64encode(cloudpickle.dumps(names["main"])).decode())',
  ].join('\n');
  const { stdout } = await promisify(execFile)(join(trees, tree!, 'bin/python'), ['-c', program, source], {
    maxBuffer: 64 * 1024 * 1024,
    env: { PYTHONDONTWRITEBYTECODE: '1' },
  });
  return Buffer.from(stdout, 'base64');
}
