import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { LannerError } from '@lanner/protocol';
import { DeploymentStrategy, type RegisterApplicationResult } from '@lanner/protocol/controller';
import { startApiServer, type ApiServer } from '../testing/api-server.ts';
import { assertStatus, collect } from '../testing/assert-status.ts';
import { aDeploy, aPickle } from '../testing/requests.ts';
import { aLogLine } from '../testing/scripted-fleet.ts';

describe('RegisterApplication', () => {
  let server: ApiServer;
  before(async () => (server = await startApiServer()));
  after(() => server.stop());

  const deploy = async (more: Parameters<typeof aDeploy>[0] = {}): Promise<RegisterApplicationResult> => {
    const messages = await collect(server.client().registerApplication(aDeploy(more)));
    const last = messages.at(-1);
    assert.ok(last?.result);
    assert.equal(messages.filter((message) => message.result).length, 1);
    return last;
  };
  const aliasOf = (name: string) => server.store.apps.getAlias(server.account.accountId, name);

  it('answers id and URLs in one last message, when the alias points there already', async () => {
    const { result, serviceUrls, envId } = await deploy();
    const id = `${server.authority}/run/alice/hello`;
    assert.equal(serviceUrls?.run, `http://${id}`);
    assert.equal(serviceUrls.queue, `http://${server.authority}/queue/alice/hello`);
    assert.equal(envId, 'env-1');
    const alias = await aliasOf('hello');
    assert.equal(alias?.revisionId, result?.applicationId);
    assert.equal(alias?.authMode, 'private');
    assert.equal(alias?.settings.keepAliveSeconds, 60);
    assert.equal(alias?.settings.maxMultiplexing, 2);
  });

  it('has moved the alias when a client hangs up at the result', async () => {
    for await (const message of server.client().registerApplication(aDeploy({ applicationName: 'hangs-up' }))) {
      if (!message.result) continue;
      assert.equal((await aliasOf('hangs-up'))?.revisionId, message.result.applicationId);
      break;
    }
  });

  it('stores the code of the revision', async () => {
    const { result } = await deploy({
      applicationName: 'code',
      setupFunc: { method: 'cloudpickle', definition: Buffer.from('setup') },
      runOnMainThread: false,
      terminationGracePeriodSeconds: 9,
      metadata: { openapi: { paths: { '/': {} } } },
      sourceCode: 'print(1)',
      retryConfig: '{"timeout": {"retries": 1}}',
      skipRetryConditions: [0, 3],
    });
    const revision = await server.store.apps.getRevision(server.account.accountId, result!.applicationId);
    assert.ok(revision?.code.callable?.kind === 'serialized');
    const stored = await readBlob(revision.code.callable.blob);
    assert.equal(stored, aPickle.definition.toString());
    assert.equal(await readBlob(revision.code.callable.setup!.blob), 'setup');
    assert.equal(revision.code.runOnMainThread, false);
    assert.equal(revision.code.terminationGraceSeconds, 9);
    assert.equal(revision.code.exposedPort, 8080);
    assert.deepEqual(revision.metadata, { openapi: { paths: { '/': {} } } });
    assert.equal(revision.sourceCode, 'print(1)');
    assert.deepEqual(revision.skipRetryConditions, ['timeout', 'connection_error']);
    assert.equal('forceBuild' in revision.code, false);
  });

  const readBlob = async (name: string): Promise<string> => {
    const chunks: Buffer[] = [];
    for await (const chunk of await server.store.blobs.open(name)) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString();
  };

  it('gives the build the secrets of its environment that requirements mention, and no others', async () => {
    const { accountId } = server.account;
    await server.store.secrets.set(accountId, 'main', 'INDEX_TOKEN', 'of main', false);
    await server.store.secrets.set(accountId, 'main', 'OTHER', 'unmentioned', true);
    const requirements = ['--extra-index-url https://${INDEX_TOKEN}@index', 'x @ https://${UNSET}@host'];
    await deploy({ environments: [{ kind: 'virtualenv', configuration: { requirements }, force: false }] });
    assert.deepEqual(server.driver.builds.at(-1)?.requirementSecrets, { INDEX_TOKEN: 'of main' });
    assert.deepEqual(server.driver.builds.at(-1)?.environment.configuration['requirements'], requirements);
    await deploy({});
    assert.equal(server.driver.builds.at(-1)?.requirementSecrets, undefined);
  });

  it('streams the build log, and tells neither it nor the result together', async () => {
    const messages = await collect(server.client().registerApplication(aDeploy({ applicationName: 'logs' })));
    const lines = messages.flatMap((message) => message.logs);
    assert.deepEqual(
      lines.map((line) => line.message),
      ['Resolved 3 packages', 'slow mirror'],
    );
    assert.ok(lines.every((line) => line.source === 0 && line.timestamp !== undefined));
  });

  it('keeps tunable settings on a redeploy and takes those of the code, unless scale is set', async () => {
    const first = { machineTypes: ['S'], maxConcurrency: 3, maxMultiplexing: 2, exposedPort: 8080 };
    const second = { ...first, maxConcurrency: 7, maxMultiplexing: 5 };
    await deploy({ applicationName: 'scaled', machineRequirements: first });
    await deploy({ applicationName: 'scaled', machineRequirements: second, scale: false });
    assert.equal((await aliasOf('scaled'))?.settings.maxConcurrency, 3);
    assert.equal((await aliasOf('scaled'))?.settings.maxMultiplexing, 5);
    await deploy({ applicationName: 'scaled', machineRequirements: second, scale: true });
    assert.equal((await aliasOf('scaled'))?.settings.maxConcurrency, 7);
  });

  it('refuses a strategy and an auth mode that it does not know', async () => {
    await assertStatus(deploy({ deploymentStrategy: 9 as never }), 'InvalidArgument', /strategy number 9.*rolling/);
    await assertStatus(deploy({ authMode: 9 as never }), 'InvalidArgument', /auth mode number 9/);
  });

  it('is private when no auth mode is sent, as clients tell their users, also when the app was public', async () => {
    await deploy({ applicationName: 'open', authMode: 1 });
    assert.equal((await aliasOf('open'))?.authMode, 'public');
    await deploy({ applicationName: 'open' });
    assert.equal((await aliasOf('open'))?.authMode, 'private');
  });

  describe('with the strategy rolling', () => {
    const rolling = (more: Parameters<typeof aDeploy>[0] = {}) =>
      aDeploy({ applicationName: 'rolls', deploymentStrategy: DeploymentStrategy.ROLLING, ...more });

    it('moves the alias only when a runner of the new revision is ready, and shows its log meanwhile', async () => {
      const { result: old } = await deploy({ applicationName: 'rolls' });
      const ready = Promise.withResolvers<{ runnerId: string }>();
      const asked = server.fleet.firstRunners.length;
      server.fleet.onFirstRunner = ({ onLog }) => {
        onLog(aLogLine('loading weights'));
        return ready.promise;
      };
      let sawResult = false;
      for await (const message of server.client().registerApplication(rolling())) {
        if (message.logs.some((line) => line.message === 'loading weights')) {
          assert.equal((await aliasOf('rolls'))?.revisionId, old?.applicationId);
          ready.resolve({ runnerId: 'first' });
        }
        if (message.result) {
          sawResult = true;
          assert.equal((await aliasOf('rolls'))?.revisionId, message.result.applicationId);
        }
      }
      assert.ok(sawResult);
      assert.equal(server.fleet.firstRunners.length, asked + 1);
    });

    it('moves nothing when the new revision cannot start, and says why and where the log is', async () => {
      const before = await aliasOf('rolls');
      const { accountId } = server.account;
      const revisions = (await server.store.apps.listRevisions(accountId, 'main', 'rolls')).length;
      server.fleet.onFirstRunner = async () => {
        throw new LannerError('rollout_failed', 'setup() raised ValueError.\nValueError: no weights');
      };
      const error = await assertStatus(
        collect(server.client().registerApplication(rolling())),
        'FailedPrecondition',
        /^setup\(\) raised ValueError\.\nLogs: http:\/\/\S+\/alice\/rolls\/logs\nValueError: no weights$/,
      );
      assert.ok(error);
      assert.equal((await aliasOf('rolls'))?.revisionId, before?.revisionId);
      assert.equal((await server.store.apps.listRevisions(accountId, 'main', 'rolls')).length, revisions);
    });

    it('moves nothing and stops the start when the client leaves', async () => {
      const before = await aliasOf('rolls');
      const begun = Promise.withResolvers<AbortSignal>();
      server.fleet.onFirstRunner = ({ signal }) => {
        begun.resolve(signal);
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
      };
      const leaving = new AbortController();
      const call = collect(server.client().registerApplication(rolling(), { signal: leaving.signal }));
      const signal = await begun.promise;
      const aborted = once(signal, 'abort');
      leaving.abort();
      await assertStatus(call, 'Canceled', /./);
      await aborted;
      assert.equal((await aliasOf('rolls'))?.revisionId, before?.revisionId);
    });

    it('moves the alias first when detached, but waits on the first deploy of an app', async () => {
      const asked = server.fleet.firstRunners.length;
      server.fleet.onFirstRunner = async () => ({ runnerId: 'first' });
      await collect(server.client().registerApplication(rolling({ attachToDeployment: false })));
      assert.equal(server.fleet.firstRunners.length, asked);
      await collect(
        server.client().registerApplication(rolling({ applicationName: 'new-app', attachToDeployment: false })),
      );
      assert.equal(server.fleet.firstRunners.length, asked + 1);
    });
  });

  describe('refuses before anything is built', () => {
    const refusals: [string, Parameters<typeof aDeploy>[0], Parameters<typeof assertStatus>[1], RegExp][] = [
      ['an app name that cannot be used', { applicationName: 'Not a name' }, 'InvalidArgument', /"Not a name"/],
      ['a name without its environment', { environmentName: 'staging' }, 'InvalidArgument', /--staging/],
      ['an unknown environment', { applicationName: 'a--nope', environmentName: 'nope' }, 'NotFound', /"nope"/],
      [
        'an unknown machine type',
        { machineRequirements: { machineTypes: ['GPU-X'] } },
        'InvalidArgument',
        /"GPU-X".*XS/,
      ],
      [
        'a floor above the ceiling',
        { machineRequirements: { minConcurrency: 5, maxConcurrency: 1 } },
        'InvalidArgument',
        /min_concurrency is 5/,
      ],
      ['a negative keep-alive', { machineRequirements: { keepAlive: -1 } }, 'InvalidArgument', /keep_alive is -1/],
      [
        'a port that is none',
        { machineRequirements: { exposedPort: 70_000 } },
        'InvalidArgument',
        /exposed_port is 70000/,
      ],
      ['an unknown secret', { secrets: { names: ['NOPE'] } }, 'InvalidArgument', /fal secrets set NOPE=/],
      [
        'a file that was not uploaded',
        { files: [{ hash: 'a'.repeat(64), relativePath: 'x.py' }] },
        'InvalidArgument',
        /"x\.py"/,
      ],
      [
        'a path out of the app',
        { files: [{ hash: 'a'.repeat(64), relativePath: '../x.py' }] },
        'InvalidArgument',
        /"\.\.\/x\.py"/,
      ],
      ['an auth mode that is none', { authMode: 9 as never }, 'InvalidArgument', /auth mode number 9/],
      ['code that is missing', { callable: { case: undefined } }, 'InvalidArgument', /must be set/],
      ['a long deploy message', { metadata: { message: 'x'.repeat(3000) } }, 'InvalidArgument', /3000 characters/],
    ];
    before(() => server.client().createEnvironment({ name: 'staging' }));

    for (const [name, more, code, text] of refusals) {
      it(name, async () => {
        const built = server.driver.builds.length;
        await assertStatus(collect(server.client().registerApplication(aDeploy(more))), code, text);
        assert.equal(server.driver.builds.length, built);
      });
    }
  });

  it('counts FAL_KEY in a list of secrets as there', async () => {
    await deploy({ applicationName: 'wma', secrets: { names: ['FAL_KEY'] } });
  });

  it('does not take a name that would belong to another environment', async () => {
    await assertStatus(
      collect(server.client().registerApplication(aDeploy({ applicationName: 'x--staging' }))),
      'InvalidArgument',
      /"x--staging"/,
    );
  });

  it('registers nothing when the build fails, and passes the text of the failure on', async () => {
    server.driver.buildMessages = async function* () {
      yield { type: 'failed', code: 'build_failed', message: "Failure during 'pip install': no such package" };
    };
    try {
      await assertStatus(
        collect(server.client().registerApplication(aDeploy({ applicationName: 'unbuilt' }))),
        'InvalidArgument',
        /^Failure during 'pip install': no such package$/,
      );
      assert.equal(await aliasOf('unbuilt'), null);
    } finally {
      server.driver.buildMessages = (
        await import('../testing/scripted-driver.ts')
      ).createScriptedDriver().buildMessages;
    }
  });
});
