import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type IncomingHttpHeaders } from 'node:http2';
import { after, afterEach, before, describe, it } from 'node:test';
import { create, toBinary } from '@bufbuild/protobuf';
import { LannerError } from '@lanner/protocol';
import { HostedRunSchema } from '@lanner/protocol/controller';
import { startApiServer, type ApiServer } from '../testing/api-server.ts';
import { assertStatus, collect } from '../testing/assert-status.ts';
import { aDeploy, aPickle, aRun } from '../testing/requests.ts';
import { createScriptedDriver } from '../testing/scripted-driver.ts';
import { aLogLine, createScriptedFleet, finishedExit, pickledResult } from '../testing/scripted-fleet.ts';

const success = 1;

describe('Run', () => {
  let server: ApiServer;
  before(async () => (server = await startApiServer()));
  after(() => server.stop());
  afterEach(() => {
    server.fleet.runEvents = createScriptedFleet().runEvents;
    server.driver.buildMessages = createScriptedDriver().buildMessages;
  });

  const run = (more: Parameters<typeof aRun>[0] = {}) => collect(server.client().run(aRun(more)));

  it('streams build log and output, and ends with the value', async () => {
    const messages = await run();
    assert.deepEqual(
      messages.flatMap((message) => message.logs).map((line) => [line.source, line.level, line.message]),
      [
        [0, 2, 'Resolved 3 packages'],
        [0, 3, 'slow mirror'],
        [2, 5, 'working'],
      ],
    );
    const last = messages.at(-1);
    assert.equal(last?.status?.state, success);
    assert.equal(Buffer.from(last.returnValue!.definition).toString(), 'result');
    assert.equal(last.returnValue!.method, 'cloudpickle');
    assert.equal(last.envId, 'env-1');
    assert.equal(last.logs.length, 0);
    assert.ok(messages.slice(0, -1).every((message) => message.status?.state !== success && !message.returnValue));
  });

  it('hands the code, the settings and the way the client came to the fleet', async () => {
    await server.client().setSecret({ name: 'TOKEN', value: 'x' });
    await run({ secrets: { names: ['TOKEN'] }, machineRequirements: { machineTypes: ['M'], requestTimeout: 7 } });
    const input = server.fleet.startedRuns.at(-1);
    assert.equal(input?.name, 'double');
    assert.equal(input.ownerNickname, 'alice');
    assert.equal(input.environmentName, 'main');
    assert.equal(input.authMode, 'private');
    assert.deepEqual(input.code.secretNames, ['TOKEN']);
    assert.deepEqual(input.settings.machineTypes, ['M']);
    assert.equal(input.settings.requestTimeoutSeconds, 7);
    assert.equal(input.settings.startupTimeoutSeconds, 600);
  });

  it('lets an exception go ahead of the end of the call, for clients in Python alone', async () => {
    server.fleet.runEvents = async function* () {
      const result = { ...pickledResult, wasRaised: true };
      yield { type: 'outcome', result, exit: finishedExit, resultBytes: Buffer.from('error') };
    };
    const [keyId, keySecret] = server.key.split(':');
    const message = Buffer.from(toBinary(HostedRunSchema, create(HostedRunSchema, aRun())));
    const head = Buffer.alloc(5);
    head.writeUInt32BE(message.length, 1);
    const session = connect(`http://${server.authority}`);
    /** Milliseconds between the last message and the status. */
    const delayOf = async (userAgent: string): Promise<number> => {
      const stream = session.request({
        ':method': 'POST',
        ':path': '/controller.IsolateController/Run',
        'content-type': 'application/grpc',
        'user-agent': userAgent,
        'auth-key-id': keyId!,
        'auth-key': keySecret!,
      });
      stream.end(Buffer.concat([head, message]));
      let lastAtMs = 0;
      stream.on('data', () => (lastAtMs = performance.now()));
      const [trailers] = (await once(stream, 'trailers')) as [IncomingHttpHeaders];
      assert.equal(trailers['grpc-status'], '0');
      return performance.now() - lastAtMs;
    };
    try {
      assert.ok((await delayOf('grpc-python/1.85.1 grpc-c/53.0.0 (linux; chttp2)')) > 800);
      assert.ok((await delayOf('connect-es/2.0.0')) < 800);
    } finally {
      session.destroy();
    }
  });

  it('lets the runner read the pickle while the run lasts, and keeps nothing afterwards', async () => {
    let content = '';
    server.fleet.runEvents = async function* (input) {
      const { callable } = input.code;
      assert.ok(callable?.kind === 'serialized');
      for await (const chunk of await server.store.blobs.open(callable.blob)) content += String(chunk);
      yield { type: 'outcome', result: pickledResult, exit: finishedExit, resultBytes: Buffer.from('r') };
    };
    await run();
    assert.equal(content, aPickle.definition.toString());
    const callable = server.fleet.startedRuns.at(-1)?.code.callable;
    assert.ok(callable?.kind === 'serialized');
    assert.equal(await server.store.blobs.has(callable.blob), false);
  });

  it('sends the URLs of an app once, after the environment is built', async () => {
    const messages = await run({ machineRequirements: { exposedPort: 8080 } });
    const withUrls = messages.filter((message) => message.serviceUrls);
    assert.equal(withUrls.length, 1);
    assert.equal(withUrls[0]?.serviceUrls?.run, `http://${server.authority}/run/alice/double-${withUrls[0]?.runId}`);
    assert.ok(
      messages.indexOf(withUrls[0]!) >
        messages.findLastIndex((message) => message.logs.some((line) => line.source === 0)),
    );
  });

  it('sends no URLs for a function without a port', async () => {
    assert.ok((await run()).every((message) => message.serviceUrls === undefined));
  });

  it('delivers a line while the code still runs', async () => {
    const gate = Promise.withResolvers<void>();
    server.fleet.runEvents = async function* () {
      yield { type: 'log', line: aLogLine('half way') };
      await gate.promise;
      yield { type: 'outcome', result: pickledResult, exit: finishedExit, resultBytes: Buffer.from('r') };
    };
    for await (const message of server.client().run(aRun())) {
      if (message.logs.some((line) => line.message === 'half way')) gate.resolve();
    }
    await gate.promise;
  });

  it('never sends the last lines together with what was raised', async () => {
    server.fleet.runEvents = async function* () {
      for (let index = 0; index < 50; index++) yield { type: 'log', line: aLogLine(`line ${index}`) };
      const result = { ...pickledResult, wasRaised: true, exceptionTypeName: 'ValueError', exceptionMessage: '' };
      yield { type: 'outcome', result, exit: finishedExit, resultBytes: Buffer.from('raised') };
    };
    const messages = await run();
    const last = messages.at(-1);
    assert.equal(last?.returnValue?.wasItRaised, true);
    assert.equal(last.returnValue.exceptionMessage, '');
    assert.equal(last.logs.length, 0);
    const lines = messages.flatMap((message) => message.logs).filter((line) => line.source === 2);
    assert.deepEqual(
      lines.map((line) => line.message),
      Array.from({ length: 50 }, (_, index) => `line ${index}`),
    );
    assert.ok(messages.length < 40, 'a burst of lines travels together');
  });

  it('ends the run and forgets its pickle when the client leaves', async () => {
    const begun = Promise.withResolvers<AbortSignal>();
    server.fleet.runEvents = async function* (_input, signal) {
      begun.resolve(signal);
      yield { type: 'log', line: aLogLine('forever') };
      await once(signal, 'abort');
      throw signal.reason;
    };
    const leaving = new AbortController();
    const ended = server.fleet.endedRuns.length;
    const call = collect(server.client().run(aRun(), { signal: leaving.signal }));
    const signal = await begun.promise;
    leaving.abort();
    await assertStatus(call, 'Canceled', /./);
    if (!signal.aborted) await once(signal, 'abort');
    const { callable } = server.fleet.startedRuns.at(-1)!.code;
    assert.ok(callable?.kind === 'serialized');
    const isForgotten = async () => !(await server.store.blobs.has(callable.blob));
    while (!(await isForgotten())) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(server.fleet.endedRuns.length, ended + 1);
  });

  it('builds again only when that was not done before', async () => {
    const environments = [{ kind: 'virtualenv', configuration: {}, force: true }];
    await run({ environments });
    assert.equal(server.driver.builds.at(-1)?.force, true);
    await run({ environments, buildEnvironment: false });
    assert.equal(server.driver.builds.at(-1)?.force, false);
    assert.equal(server.driver.builds.at(-1)?.accountOrdinal, server.account.ordinal);
  });

  it('refuses an environment id that is not the one of the environment', async () => {
    await assertStatus(run({ envId: 'other' }), 'InvalidArgument', /env_id is "other".*"env-1"/);
    await run({ envId: 'env-1' });
  });

  it('says how the process died in words that clients know', async () => {
    server.fleet.runEvents = async function* () {
      const exit = { reason: 'crashed', code: null, signal: 'SIGKILL', message: 'killed' } as const;
      yield { type: 'outcome', result: null, exit, resultBytes: null };
    };
    const error = await assertStatus(run(), 'Aborted', /^The runner ended/);
    assert.ok(error.rawMessage.endsWith('died with <Signals.SIGKILL: 9>.`.'));
  });

  it('passes on what the fleet refuses', async () => {
    const { startRun } = server.fleet;
    server.fleet.startRun = async () => {
      throw new LannerError('no_capacity', 'No machine of type GPU-H100 is here.');
    };
    try {
      await assertStatus(run(), 'ResourceExhausted', /^No machine of type GPU-H100 is here\.$/);
    } finally {
      server.fleet.startRun = startRun;
    }
  });

  it('answers a defect of ours with an id that is in the log', async () => {
    server.fleet.runEvents = () => {
      throw new TypeError('a defect');
    };
    const error = await assertStatus(run(), 'Internal', /\(error [0-9a-f-]{36}\)$/);
    const errorId = /error ([0-9a-f-]{36})/.exec(error.rawMessage)?.[1];
    assert.ok(server.logged.some((line) => JSON.stringify(line.fields).includes(errorId!)));
  });

  it('carries 64 MiB both ways', async () => {
    const big = Buffer.alloc(64 * 1024 * 1024, 7);
    server.fleet.runEvents = async function* () {
      yield { type: 'outcome', result: pickledResult, exit: finishedExit, resultBytes: big };
    };
    const messages = await run({ callable: { case: 'function', value: { method: 'cloudpickle', definition: big } } });
    assert.equal(messages.at(-1)?.returnValue?.definition.byteLength, big.byteLength);
  });

  it('takes any text for the name of a run', async () => {
    await run({ applicationName: 'my_module:App.run_local' });
    assert.equal(server.fleet.startedRuns.at(-1)?.name, 'my_module:App.run_local');
  });
});

describe('every long call', () => {
  let server: ApiServer;
  before(async () => (server = await startApiServer()));
  after(() => server.stop());
  afterEach(() => void (server.driver.buildMessages = createScriptedDriver().buildMessages));

  const calls = {
    Run: () => server.client().run(aRun()),
    BuildEnvironment: () => server.client().buildEnvironment({ environments: aRun().environments! }),
    RegisterApplication: () => server.client().registerApplication(aDeploy()),
  };
  for (const [name, call] of Object.entries(calls)) {
    it(`says something before it does anything, so that clients do not repeat it (${name})`, async () => {
      const isHeard = Promise.withResolvers<void>();
      server.driver.buildMessages = async function* (...input) {
        await isHeard.promise;
        yield* createScriptedDriver().buildMessages(...input);
      };
      let messageCount = 0;
      for await (const _ of call()) {
        messageCount += 1;
        isHeard.resolve();
      }
      assert.ok(messageCount >= 2);
    });
  }
});

describe('BuildEnvironment', () => {
  let server: ApiServer;
  before(async () => (server = await startApiServer()));
  after(() => server.stop());
  afterEach(() => void (server.driver.buildMessages = createScriptedDriver().buildMessages));

  const build = (more: object = {}) =>
    collect(server.client().buildEnvironment({ environments: aRun().environments!, ...more }));

  it('streams the log of the build and ends with the id', async () => {
    const messages = await build();
    assert.deepEqual(
      messages
        .flatMap((message) => message.logs)
        .map((line) => [line.source, line.level, line.message, Number(line.timestamp?.seconds)]),
      [
        [0, 2, 'Resolved 3 packages', 1_700_000_000],
        [0, 3, 'slow mirror', 1_700_000_000],
      ],
    );
    assert.equal(messages.at(-1)?.status?.state, success);
    assert.equal(messages.at(-1)?.envId, 'env-1');
    assert.deepEqual(server.driver.builds.at(-1)?.environment, {
      kind: 'virtualenv',
      configuration: { python_version: '3.11', requirements: ['six'] },
    });
  });

  it('passes the text of a failure on as INVALID_ARGUMENT', async () => {
    server.driver.buildMessages = async function* () {
      yield { type: 'failed', code: 'build_failed', message: 'No solution found:\n  six<0 is not available' };
    };
    await assertStatus(build(), 'InvalidArgument', /^No solution found:\n {2}six<0 is not available$/);
  });

  it('leaves the build when the client leaves', async () => {
    const begun = Promise.withResolvers<AbortSignal>();
    server.driver.buildMessages = async function* (_request, signal) {
      begun.resolve(signal);
      yield { type: 'log', atMs: 0, level: 'info', line: 'resolving' };
      await once(signal, 'abort');
      throw signal.reason;
    };
    const leaving = new AbortController();
    const call = collect(
      server.client().buildEnvironment({ environments: aRun().environments! }, { signal: leaving.signal }),
    );
    const signal = await begun.promise;
    leaving.abort();
    await assertStatus(call, 'Canceled', /./);
    if (!signal.aborted) await once(signal, 'abort');
  });

  it('does not build what a deploy would refuse', async () => {
    await assertStatus(build({ secrets: { names: ['NOPE'] } }), 'InvalidArgument', /"NOPE"/);
    await assertStatus(build({ machineRequirements: { machineTypes: ['HUGE'] } }), 'InvalidArgument', /"HUGE"/);
    await assertStatus(build({ environmentName: 'nope' }), 'NotFound', /"nope"/);
    await assertStatus(build({ environments: [] }), 'InvalidArgument', /At least one environment/);
  });
});
