/** Type tests: which options there are (what an editor completes), what is refused, what comes back. Nothing here is run. */
import {
  AppError,
  ConfigurationError,
  ServerlessClient,
  isClientError,
  type AppInfo,
  type AppsListOptions,
  type AppsRolloutOptions,
  type AppsRunnersOptions,
  type AppsScaleOptions,
  type AppsSetRevisionOptions,
  type AuthMode,
  type ClientErrorCode,
  type CreatedKey,
  type DeployOptions,
  type Deployment,
  type EnvironmentInfo,
  type EnvironmentsCreateOptions,
  type KeyInfo,
  type KeysCreateOptions,
  type RevisionInfo,
  type RunnerInfo,
  type RunnerState,
  type RunnersListOptions,
  type RunnersStopOptions,
  type SecretInfo,
  type SecretsSetOptions,
  type ServerlessClientOptions,
  type Unknown,
} from '@lanner/client';
import type { ServerlessClient as PageClient } from '@lanner/client/browser';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type Call = 'signal' | 'timeoutMs';
type InEnvironment = Call | 'environmentName';

/** Fails to compile when an option is missing here or there. */
export const optionsAreComplete: [
  Same<keyof ServerlessClientOptions, 'host' | 'apiKey' | 'profile' | 'team' | 'environment' | 'fetch'>,
  Same<keyof AppsListOptions, InEnvironment | 'filter'>,
  Same<keyof AppsRunnersOptions, InEnvironment | 'since' | 'state'>,
  Same<
    keyof AppsScaleOptions,
    | InEnvironment
    | 'keepAlive'
    | 'maxMultiplexing'
    | 'maxConcurrency'
    | 'minConcurrency'
    | 'concurrencyBuffer'
    | 'concurrencyBufferPerc'
    | 'scalingDelay'
    | 'requestTimeout'
    | 'requestStartTimeout'
    | 'startupTimeout'
    | 'machineTypes'
    | 'regions'
  >,
  Same<keyof AppsRolloutOptions, InEnvironment | 'force'>,
  Same<keyof AppsSetRevisionOptions, InEnvironment | 'auth' | 'strategy'>,
  Same<keyof RunnersListOptions, Call | 'since' | 'state'>,
  Same<keyof RunnersStopOptions, Call | 'replaceFirst'>,
  Same<keyof KeysCreateOptions, Call | 'scope' | 'preset' | 'permissions' | 'description'>,
  Same<keyof SecretsSetOptions, InEnvironment | 'defaultExposed'>,
  Same<keyof EnvironmentsCreateOptions, Call | 'description'>,
  Same<AuthMode, 'private' | 'public' | 'shared'>,
] = [true, true, true, true, true, true, true, true, true, true, true, true];

/** Those of the seed page and the issue; a deploy may have more. */
export const deployHasThem: DeployOptions = {
  appName: 'a',
  auth: 'shared',
  strategy: 'recreate',
  resetScale: true,
  attach: false,
  environmentName: 'staging',
  message: 'm',
  annotations: { commit: 'abc' },
  forceEnvBuild: true,
  onProgress: (progress) => {
    if (progress.type === 'upload') progress.uploadedBytes.toFixed();
    // @ts-expect-error only uploads have bytes
    void progress.uploadedBytes;
  },
  signal: AbortSignal.timeout(1000),
  timeoutMs: 1000,
};

export async function results(client: ServerlessClient): Promise<void> {
  const apps: AppInfo[] = await client.apps.list();
  for await (const app of client.apps.list()) app satisfies AppInfo;
  const runners: RunnerInfo[] = await client.apps.runners('a', { since: new Date(), state: ['IDLE'] });
  const state: RunnerState | Unknown | undefined = runners[0]?.state;
  const revisions: RevisionInfo[] = await client.apps.revisions('a');
  const created: Date | null | undefined = revisions[0]?.createdAt;
  const key: CreatedKey = await client.keys.create({ scope: 'api' });
  const keys: KeyInfo[] = await client.keys.list();
  const secrets: SecretInfo[] = await client.secrets.list();
  const environments: EnvironmentInfo[] = await client.environments.list();
  const deployment: Deployment = await client.deploy(['app.py', 'App'], { auth: 'public' });
  const { data } = await client.run<{ n: number }, { x: number }>('a/b', { input: { x: 1 } });
  data.n.toFixed();
  for await (const event of client.stream<{ n: number }>('a/b', { input: {} })) event.n.toFixed();
  const queued = await client.submit<{ n: number }>('a/b', { priority: 'low' });
  (await queued.result()).data.n.toFixed();
  const status = await queued.status();
  status.status satisfies 'IN_QUEUE' | 'IN_PROGRESS' | 'COMPLETED';
  void [apps, state, created, key, keys, secrets, environments, deployment];
}

export function mistakes(client: ServerlessClient, page: PageClient): void {
  // @ts-expect-error seconds are numbers
  void client.apps.scale('a', { keepAlive: '1' });
  // @ts-expect-error there is no such option
  void client.apps.scale('a', { keepalive: 1 });
  // @ts-expect-error the options are one object
  void client.apps.scale('a', 300, 10);
  // @ts-expect-error machine types are a list
  void client.apps.scale('a', { machineTypes: 'GPU-H100' });
  // @ts-expect-error there is no such mode
  void client.deploy('a.py', { auth: 'secret' });
  // @ts-expect-error there is no such strategy
  void client.deploy('a.py', { strategy: 'blue-green' });
  // @ts-expect-error annotations are texts
  void client.deploy('a.py', { annotations: { n: 1 } });
  // @ts-expect-error a pair has two
  void client.deploy(['a.py', 'App', 'x']);
  // @ts-expect-error there is no such state
  void client.runners.list({ state: ['SLEEPING'] });
  // @ts-expect-error a moment is a Date
  void client.apps.runners('a', { since: '10m' });
  // @ts-expect-error which runner?
  void client.runners.stop();
  // @ts-expect-error there is no such scope
  void client.keys.create({ scope: 'root' });
  // @ts-expect-error what may it do?
  void client.keys.create();
  // @ts-expect-error the name comes first
  void client.secrets.set({ name: 'a', value: 'b' });
  // @ts-expect-error a secret has a value
  void client.secrets.set('a');
  // @ts-expect-error ports are part of the host
  void new ServerlessClient({ port: 8443 });
  // @ts-expect-error the controller is not in a page
  void page.apps;
  // @ts-expect-error there is no such method
  void client.run('a/b', { method: 'BREW' });
  void client.run<{ n: number }, { x: number }>('a/b', {
    // @ts-expect-error the input is what was said
    input: { y: 1 },
  });
}

export function errors(error: unknown): string {
  if (!isClientError(error)) return 'not ours';
  const code: ClientErrorCode = error.code;
  if (error instanceof AppError) return String(error.body) + String(error.status);
  if (error instanceof ConfigurationError) return error.advice ?? '';
  // @ts-expect-error there is no such code
  if (code === 'no_such_code') return '';
  return error.requestId ?? error.message;
}
