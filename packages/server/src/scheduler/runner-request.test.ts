import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createMachineTypes } from '../apps/machine-types.ts';
import { toRunnerLimits, toStartRunnerRequest, type RunnerRequestInput } from './runner-request.ts';
import { testAccount, testCode } from './testing/scheduler-harness.ts';

const hosts = {
  grpcHost: 'localhost:8443',
  restHost: 'localhost:8443',
  runHost: 'localhost:8443/run',
  queueHost: 'localhost:8443/queue',
  wsHost: 'localhost:8443/ws',
  cdnHost: 'localhost:8443/cdn',
  kvHost: 'localhost:8443/kv',
};

const machineTypes = createMachineTypes();
const fileUrls = ['https://localhost:8443/cdn/files/'];

const input = (overrides: Partial<RunnerRequestInput> = {}): RunnerRequestInput => ({
  runnerId: 'run-1',
  account: testAccount,
  revisionId: 'rev-1',
  name: 'hello--staging',
  code: testCode,
  purpose: 'serve',
  startupTimeoutSeconds: 600,
  machineType: 'S',
  machineTypes,
  key: { keyId: 'kid', keySecret: 'ksecret' },
  secrets: {},
  requirementSecrets: null,
  files: [],
  platform: { hosts, fileUrls, region: 'local', hasCaBundle: false },
  ...overrides,
});

describe('environment variables of a runner', () => {
  it('are those that official code reads', () => {
    assert.equal(toStartRunnerRequest(input({})).requirementSecrets, undefined);
    const requirementSecrets = { INDEX: 'xyz' };
    assert.deepEqual(toStartRunnerRequest(input({ requirementSecrets })).requirementSecrets, requirementSecrets);
    assert.deepEqual(toStartRunnerRequest(input({ secrets: { TOKEN: 'abc' } })).env, {
      HF_HOME: '/data/.cache/huggingface',
      TOKEN: 'abc',
      FAL_KEY: 'kid:ksecret',
      FAL_KEY_ID: 'kid',
      FAL_KEY_SECRET: 'ksecret',
      FAL_HOST: 'localhost:8443',
      FAL_GRPC_HOST: 'localhost:8443',
      FAL_REST_HOST: 'localhost:8443',
      FAL_RUN_HOST: 'localhost:8443/run',
      FAL_QUEUE_RUN_HOST: 'localhost:8443/queue',
      FAL_WS_RUN_HOST: 'localhost:8443/ws',
      FAL_CDN_V3_HOST: 'https://localhost:8443/cdn',
      LANNER_KV_URL: 'https://localhost:8443/kv',
      LANNER_FILE_URLS: 'https://localhost:8443/cdn/files/',
      FAL_APP_NAME: 'owner/hello--staging',
      FAL_APP_ID: 'rev-1',
      FAL_USER_NICKNAME: 'owner',
      FAL_JOB_ID: 'run-1',
      FAL_REGION: 'local',
    });
  });

  it('name the CA bundle only where there is one', () => {
    const { env } = toStartRunnerRequest(input({ platform: { hosts, fileUrls, region: 'eu', hasCaBundle: true } }));
    for (const name of ['SSL_CERT_FILE', 'REQUESTS_CA_BUNDLE', 'GRPC_DEFAULT_SSL_ROOTS_FILE_PATH']) {
      assert.equal(env[name], '/etc/lanner/ca-bundle.pem');
    }
    assert.equal(env['FAL_REGION'], 'eu');
  });

  it('never let a secret replace what the platform says, but let it move HF_HOME', () => {
    const { env } = toStartRunnerRequest(
      input({ secrets: { FAL_KEY: 'stolen', FAL_HOST: 'elsewhere', HF_HOME: '/data/hf' } }),
    );
    assert.equal(env['FAL_KEY'], 'kid:ksecret');
    assert.equal(env['FAL_HOST'], 'localhost:8443');
    assert.equal(env['HF_HOME'], '/data/hf');
  });

  it('leave to bridge and app what is theirs', () => {
    const { env } = toStartRunnerRequest(input());
    for (const name of ['IS_ISOLATE_AGENT', 'FAL_RUNNER_STATE', 'NOMAD_ALLOC_PORT_grpc'])
      assert.equal(name in env, false);
  });
});

describe('a start request', () => {
  it('listens on 8080 when it serves and nothing was said, and nowhere for a plain function', () => {
    const code = { ...testCode, exposedPort: null };
    assert.equal(toStartRunnerRequest(input({ code })).exposedPort, 8080);
    assert.equal(toStartRunnerRequest(input({ code, purpose: 'run' })).exposedPort, undefined);
    assert.equal(toStartRunnerRequest(input({ code: { ...testCode, exposedPort: 3000 } })).exposedPort, 3000);
  });

  it('ignores health failures for as long as starting may take', () => {
    const healthCheck = {
      path: '/health',
      startPeriodMs: 30_000,
      timeoutMs: 5_000,
      failureThreshold: 3,
      callRegularly: true,
    };
    const code = { ...testCode, healthCheck };
    assert.equal(toStartRunnerRequest(input({ code })).healthCheck?.startPeriodMs, 600_000);
    assert.equal(toStartRunnerRequest(input({ code, startupTimeoutSeconds: 10 })).healthCheck?.startPeriodMs, 30_000);
  });

  it('carries times in milliseconds', () => {
    const request = toStartRunnerRequest(input({ code: { ...testCode, terminationGraceSeconds: 12 } }));
    assert.equal(request.startupTimeoutMs, 600_000);
    assert.equal(request.graceMs, 12_000);
  });

  it('cannot be made for code that is only an image', () => {
    assert.throws(() => toStartRunnerRequest(input({ code: { ...testCode, callable: null } })), {
      code: 'unimplemented',
    });
  });
});

describe('limits of a machine type', () => {
  it('multiply with the number of GPUs, for GPU types alone', () => {
    assert.deepEqual(toRunnerLimits(machineTypes, 'GPU-H100', 2), { memoryMiB: 2 * 112 * 1024, cpus: 24 });
    assert.deepEqual(toRunnerLimits(machineTypes, 'M', 4), { memoryMiB: 2048, cpus: 2 });
    assert.deepEqual(toRunnerLimits(machineTypes, 'XS', null), { memoryMiB: 512, cpus: 0.5 });
  });

  it('come from the installation where it names its own types', () => {
    assert.deepEqual(
      toRunnerLimits(createMachineTypes([{ name: 'house', memoryMiB: 1, cpus: 2, gpu: null }]), 'house', null),
      { memoryMiB: 1, cpus: 2 },
    );
  });

  it('fall back to the smallest for a name nobody knows, also one that every object has', () => {
    for (const name of ['quantum', 'constructor'])
      assert.deepEqual(toRunnerLimits(machineTypes, name, null), { memoryMiB: 512, cpus: 0.5 });
  });
});
