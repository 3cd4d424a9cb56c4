import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { LannerError } from '@lanner/protocol';
import { DeploymentStrategy } from '@lanner/protocol/controller';
import { startApiServer, type ApiServer } from '../testing/api-server.ts';
import { assertStatus, collect } from '../testing/assert-status.ts';
import { aDeploy } from '../testing/requests.ts';
import { aRunnerView } from '../testing/scripted-fleet.ts';
import { decideEndedSince } from './runners.ts';

async function deploy(server: ApiServer, more: Parameters<typeof aDeploy>[0] = {}): Promise<string> {
  const messages = await collect(server.client().registerApplication(aDeploy(more)));
  return messages.at(-1)!.result!.applicationId;
}

describe('aliases', () => {
  let server: ApiServer;
  before(async () => {
    server = await startApiServer();
    await server.client().createEnvironment({ name: 'staging' });
  });
  after(() => server.stop());

  it('are listed for one environment, with settings and live runners', async () => {
    const revision = await deploy(server);
    await deploy(server, { applicationName: 'hello--staging', environmentName: 'staging' });
    server.fleet.runners = [aRunnerView({ aliasId: `${server.account.accountId}/hello` })];
    const { aliases } = await server.client().listAliases({});
    assert.equal(aliases.length, 1);
    const [alias] = aliases;
    assert.deepEqual(
      { ...alias, $typeName: undefined },
      {
        $typeName: undefined,
        alias: 'hello',
        revision,
        authMode: 0,
        maxConcurrency: 3,
        maxMultiplexing: 2,
        keepAlive: 60,
        activeRunners: 1,
        minConcurrency: 0,
        machineTypes: ['S'],
        requestTimeout: 3600,
        startupTimeout: 600,
        validRegions: [],
        concurrencyBuffer: 0,
        concurrencyBufferPerc: 0,
        scalingDelaySeconds: 0,
        environmentName: 'main',
        isRolling: false,
      },
    );
    const staging = await server.client().listAliases({ environmentName: 'staging' });
    assert.deepEqual(
      staging.aliases.map((listed) => [listed.alias, listed.environmentName]),
      [['hello--staging', 'staging']],
    );
  });

  it('change their auth mode by SetAlias of the same revision, and keep it when none is sent', async () => {
    const revision = await deploy(server, { applicationName: 'modes' });
    const opened = await server.client().setAlias({ alias: 'modes', revision, authMode: 1 });
    assert.equal(opened.aliasInfo?.authMode, 1);
    assert.equal(opened.aliasInfo.revision, revision);
    const kept = await server.client().setAlias({ alias: 'modes', revision });
    assert.equal(kept.aliasInfo?.authMode, 1);
  });

  it('roll only to another revision, and only when asked', async () => {
    const first = await deploy(server, { applicationName: 'rolls' });
    const second = await deploy(server, { applicationName: 'rolls' });
    const asked = server.fleet.firstRunners.length;
    await server.client().setAlias({ alias: 'rolls', revision: first });
    assert.equal(server.fleet.firstRunners.length, asked);
    await server.client().setAlias({ alias: 'rolls', revision: first, deploymentStrategy: DeploymentStrategy.ROLLING });
    assert.equal(server.fleet.firstRunners.length, asked, 'the revision is active already');
    const { aliasInfo } = await server.client().setAlias({
      alias: 'rolls',
      revision: second,
      deploymentStrategy: DeploymentStrategy.ROLLING,
    });
    assert.equal(server.fleet.firstRunners.at(-1)?.revisionId, second);
    assert.equal(aliasInfo?.revision, second);
  });

  it('stay where they are when rolling fails', async () => {
    const first = await deploy(server, { applicationName: 'stays' });
    const second = await deploy(server, { applicationName: 'stays' });
    await server.client().setAlias({ alias: 'stays', revision: first });
    const { onFirstRunner } = server.fleet;
    server.fleet.onFirstRunner = async () => {
      throw new LannerError('rollout_failed', 'It did not start.');
    };
    try {
      await assertStatus(
        server.client().setAlias({ alias: 'stays', revision: second, deploymentStrategy: DeploymentStrategy.ROLLING }),
        'FailedPrecondition',
        /^It did not start\.$/,
      );
      const { aliases } = await server.client().listAliases({});
      assert.equal(aliases.find((alias) => alias.alias === 'stays')?.revision, first);
    } finally {
      server.fleet.onFirstRunner = onFirstRunner;
    }
  });

  it('refuse unknown revisions and revisions of another environment', async () => {
    await deploy(server, { applicationName: 'refuses' });
    const elsewhere = await deploy(server, { applicationName: 'refuses--staging', environmentName: 'staging' });
    const client = server.client();
    await assertStatus(client.setAlias({ alias: 'refuses', revision: 'nope' }), 'NotFound', /"nope" was not found/);
    await assertStatus(client.setAlias({ alias: 'refuses', revision: elsewhere }), 'FailedPrecondition', /"staging"/);
  });

  it('are deleted once, telling their revision; the second time is NOT_FOUND', async () => {
    const revision = await deploy(server, { applicationName: 'goes' });
    const answer = await server.client().deleteAlias({ alias: 'goes' });
    assert.equal(answer.revision, revision);
    await assertStatus(server.client().deleteAlias({ alias: 'goes' }), 'NotFound', /"goes" was not found/);
    const { aliases } = await server.client().listAliases({});
    assert.ok(!aliases.some((alias) => alias.alias === 'goes'));
  });

  it('of another account are unknown', async () => {
    await deploy(server, { applicationName: 'mine' });
    const other = await server.store.accounts.create({ nickname: 'bob', fullName: 'Bob', isPersonal: true });
    const client = server.client(await server.newKey({ preset: 'FULL' }, other));
    await assertStatus(client.deleteAlias({ alias: 'mine' }), 'NotFound', /"mine"/);
    await assertStatus(client.updateApplication({ applicationName: 'mine', keepAlive: 1 }), 'NotFound', /"mine"/);
    assert.deepEqual((await client.listAliases({})).aliases, []);
  });
});

describe('applications', () => {
  let server: ApiServer;
  before(async () => (server = await startApiServer()));
  after(() => server.stop());

  it('are listed newest first, with the runners of each revision', async () => {
    const first = await deploy(server);
    const second = await deploy(server);
    await deploy(server, { applicationName: 'other' });
    server.fleet.runners = [aRunnerView({ accountId: server.account.accountId, revisionId: second })];
    const { applications } = await server.client().listApplications({ applicationName: 'hello' });
    assert.deepEqual(
      applications.map((app) => [app.applicationId, app.activeRunners]),
      [
        [second, 1],
        [first, 0],
      ],
    );
    assert.equal(applications[0]?.keepAlive, 60);
    assert.ok(applications[0].createdAt);
    assert.equal((await server.client().listApplications({})).applications.length, 3);
  });

  it('change only what is named, and clear a start timeout by 0', async () => {
    await deploy(server, { applicationName: 'scaled' });
    const update = async (change: object) =>
      (await server.client().updateApplication({ applicationName: 'scaled', ...change })).aliasInfo;
    const first = await update({ keepAlive: 5, maxConcurrency: 9, maxMultiplexing: 4, requestStartTimeout: 30 });
    assert.deepEqual(
      [first?.keepAlive, first?.maxConcurrency, first?.maxMultiplexing, first?.requestStartTimeout],
      [5, 9, 4, 30],
    );
    const second = await update({ keepAlive: 0, validRegions: ['us-east'] });
    assert.deepEqual([second?.keepAlive, second?.maxConcurrency, second?.validRegions], [0, 9, ['us-east']]);
    const third = await update({ requestStartTimeout: 0 });
    assert.equal(third?.requestStartTimeout, undefined);
    assert.deepEqual(third?.validRegions, ['us-east']);
  });

  it('refuse bad settings in words', async () => {
    await deploy(server, { applicationName: 'strict' });
    const update = (change: object) => server.client().updateApplication({ applicationName: 'strict', ...change });
    await assertStatus(update({ maxConcurrency: 0 }), 'InvalidArgument', /max_concurrency is 0/);
    await assertStatus(
      update({ minConcurrency: 4 }),
      'InvalidArgument',
      /min_concurrency is 4 but max_concurrency is 3/,
    );
    await assertStatus(update({ machineTypes: ['NOPE'] }), 'InvalidArgument', /"NOPE"/);
    await assertStatus(
      server.client().updateApplication({ applicationName: 'nope', keepAlive: 1 }),
      'NotFound',
      /"nope" was not found/,
    );
  });

  it('lose a revision that no alias needs, and keep one that is active', async () => {
    const old = await deploy(server, { applicationName: 'pruned' });
    const active = await deploy(server, { applicationName: 'pruned' });
    const client = server.client();
    await client.deleteApplication({ applicationId: old });
    await assertStatus(client.deleteApplication({ applicationId: old }), 'NotFound', /not found/);
    await assertStatus(client.deleteApplication({ applicationId: active }), 'FailedPrecondition', /in use/);
    await assertStatus(client.deleteApplication({}), 'InvalidArgument', /No revision was named/);
  });

  it('are rolled out by the fleet', async () => {
    await deploy(server, { applicationName: 'fresh' });
    await server.client().rolloutApplication({ applicationName: 'fresh' });
    await server.client().rolloutApplication({ applicationName: 'fresh', force: true });
    const aliasId = `${server.account.accountId}/fresh`;
    assert.deepEqual(server.fleet.calls.slice(-2), [`rollout ${aliasId}`, `rollout ${aliasId} force`]);
    await assertStatus(server.client().rolloutApplication({ applicationName: 'nope' }), 'NotFound', /"nope"/);
  });
});

describe('runners', () => {
  let server: ApiServer;
  before(async () => {
    server = await startApiServer();
    await deploy(server);
    const { accountId } = server.account;
    server.fleet.runners = [
      aRunnerView({
        accountId,
        inFlightRequests: 1,
        leases: [{ requestId: 'req-1', callerAccountId: 'acc-2', leasedAtMs: 1_700_000_001_500 }],
        replacement: 'WILL_REPLACE',
        startedAtMs: Date.now() - 5_000,
      }),
      aRunnerView({ accountId, runnerId: 'runner-2', state: 'PENDING', aliasName: 'other' }),
      aRunnerView({ accountId, runnerId: 'runner-3', state: 'IDLE', expiresInMs: 1_200 }),
      aRunnerView({ accountId, runnerId: 'runner-4', state: 'TERMINATED', endedAtMs: Date.now() - 60_000 }),
      aRunnerView({ accountId: 'other-account', runnerId: 'runner-5' }),
    ];
  });
  after(() => server.stop());

  it('are listed with their requests; ended ones only for a time that is asked for', async () => {
    const { runners } = await server.client().listRunners({ listPending: true });
    assert.deepEqual(
      runners.map((runner) => [runner.runnerId, runner.state]),
      [
        ['runner-1', 0],
        ['runner-2', 1],
        ['runner-3', 8],
      ],
    );
    const [first, , third] = runners;
    assert.ok(first && third);
    assert.ok(first.uptime >= 5 && first.uptime < 60);
    assert.equal(first.expirationCountdown, undefined);
    assert.equal(third.expirationCountdown, 2);
    assert.equal(first.replacement, 1);
    assert.deepEqual(first.externalMetadata, {
      present_in_group: true,
      leases: [{ request_id: 'req-1', leased_at_epoch: 1_700_000_001.5, caller_user_id: 'acc-2' }],
    });
    const since = await server.client().listRunners({ startTime: timestampFromMs(Date.now() - 120_000) });
    assert.ok(since.runners.some((runner) => runner.runnerId === 'runner-4' && runner.state === 7));
    const later = await server.client().listRunners({ startTime: timestampFromMs(Date.now() - 1_000) });
    assert.ok(!later.runners.some((runner) => runner.runnerId === 'runner-4'));
  });

  it('of one app are listed by its name', async () => {
    const { runners } = await server.client().listAliasRunners({ alias: 'hello', listPending: true });
    assert.deepEqual(
      runners.map((runner) => [runner.runnerId, runner.alias]),
      [
        ['runner-1', 'hello'],
        ['runner-3', 'hello'],
      ],
    );
    await assertStatus(server.client().listAliasRunners({ alias: 'nope' }), 'NotFound', /"nope"/);
  });

  it('are stopped and killed; unknown ones are "not found"', async () => {
    const client = server.client();
    await client.stopRunner({ runnerId: 'runner-1' });
    await client.stopRunner({ runnerId: 'runner-1', replaceFirst: true });
    await client.killRunner({ runnerId: 'runner-3' });
    assert.deepEqual(server.fleet.calls, ['stop runner-1', 'stop runner-1 replace first', 'kill runner-3']);
    await assertStatus(client.stopRunner({ runnerId: 'nope' }), 'NotFound', /"nope" not found/);
    await assertStatus(client.killRunner({ runnerId: 'runner-5' }), 'NotFound', /not found/);
  });

  it('takes a start time in the future for the clock of a client east of Greenwich', () => {
    const nowMs = 1_700_000_000_000;
    assert.equal(decideEndedSince(undefined, nowMs), undefined);
    assert.equal(decideEndedSince(timestampFromMs(nowMs - 1000), nowMs), nowMs - 1000);
    assert.equal(decideEndedSince(timestampFromMs(nowMs + 9 * 3_600_000), nowMs), nowMs - 24 * 3_600_000);
  });
});
