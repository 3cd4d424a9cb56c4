import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { HostedRunSchema } from '@lanner/protocol/controller';
import { parseCode, type CodeDraft } from './code-draft.ts';

const virtualenv = { kind: 'virtualenv', configuration: { python_version: '3.11', requirements: ['six'] } };
const pickled = { method: 'cloudpickle', definition: Buffer.from('pickle') };
const aFunction = { case: 'function' as const, value: pickled };

function parse(
  more: MessageInitShape<typeof HostedRunSchema>,
  extra: { terminationGracePeriodSeconds?: number; healthCheckPath?: string; startupTimeoutSeconds?: number } = {},
): CodeDraft {
  const { startupTimeoutSeconds = 600, ...rest } = extra;
  const message = create(HostedRunSchema, { environments: [virtualenv], callable: aFunction, ...more });
  return parseCode({ ...message, ...rest }, startupTimeoutSeconds);
}

function refused(pattern: RegExp, code = 'invalid_argument'): (error: unknown) => boolean {
  return (error) => {
    assert.equal((error as { code?: string }).code, code);
    assert.match((error as Error).message, pattern);
    return true;
  };
}

describe('parseCode', () => {
  it('reads a plain function with the defaults of the platform', () => {
    assert.deepEqual(parse({}), {
      environment: { kind: 'virtualenv', configuration: virtualenv.configuration },
      forceBuild: false,
      callable: {
        kind: 'serialized',
        function: { method: 'cloudpickle', definition: pickled.definition },
        setup: null,
      },
      runOnMainThread: true,
      exposedPort: null,
      metricsPort: null,
      healthCheck: null,
      files: [],
      dataMounts: [],
      secretNames: null,
      terminationGraceSeconds: 5,
      numGpus: null,
    });
  });

  it('tells an empty list of secrets from none at all', () => {
    assert.equal(parse({}).secretNames, null);
    assert.deepEqual(parse({ secrets: { names: [] } }).secretNames, []);
    assert.deepEqual(parse({ secrets: { names: ['A', 'FAL_KEY', 'A'] } }).secretNames, ['A', 'FAL_KEY']);
  });

  it('reads an entrypoint and refuses malformed ones', () => {
    const draft = parse({ callable: { case: 'entrypoint', value: 'my_app.main:App.run_local' } });
    assert.deepEqual(draft.callable, { kind: 'entrypoint', entrypoint: 'my_app.main:App.run_local' });
    for (const value of ['', 'no_colon', 'a:b:c', ':x', 'x:', 'a b:c']) {
      assert.throws(() => parse({ callable: { case: 'entrypoint', value } }), refused(/module:attribute/), value);
    }
    assert.throws(
      () => parse({ callable: { case: 'entrypoint', value: 'a:b' }, setupFunc: pickled }),
      refused(/^'setup_func' is not supported together with 'entrypoint'\.$/),
    );
  });

  it('wants a callable unless a container image runs its own command', () => {
    const none = { callable: { case: undefined } };
    assert.throws(() => parse(none), refused(/^One of 'function' or 'entrypoint' must be set\.$/));
    const container = (image: Record<string, unknown>) =>
      parse({ ...none, environments: [{ kind: 'container', configuration: { image: image as never } }] });
    assert.equal(container({ image: 'nginx', use_isolate: false }).callable, null);
    assert.throws(() => container({ image: 'nginx' }), refused(/must be set/));
  });

  it('wants exactly one environment of a known kind', () => {
    assert.throws(
      () => parse({ environments: [] }),
      refused(/^At least one environment must be specified for a run!$/),
    );
    assert.throws(() => parse({ environments: [virtualenv, virtualenv] }), refused(/exactly one environment, but 2/));
    assert.throws(() => parse({ environments: [{ kind: 'nix' }] }), refused(/^Unknown environment kind: "nix"/));
    assert.equal(parse({ environments: [{ ...virtualenv, force: true }] }).forceBuild, true);
  });

  it('refuses pickles that are empty or whose method is no module', () => {
    const withPickle = (value: typeof pickled) => parse({ callable: { case: 'function', value } });
    assert.throws(
      () => withPickle({ method: 'cloudpickle', definition: Buffer.alloc(0) }),
      refused(/no pickled bytes/),
    );
    assert.throws(() => withPickle({ ...pickled, method: 'os; import x' }), refused(/not a Python module/));
    assert.throws(() => withPickle({ ...pickled, method: '' }), refused(/not a Python module/));
  });

  it('gives the health check its documented defaults, in milliseconds', () => {
    assert.deepEqual(parse({ healthCheckConfig: { path: '/ready' } }, { startupTimeoutSeconds: 10 }).healthCheck, {
      path: '/ready',
      startPeriodMs: 30_000,
      timeoutMs: 5_000,
      failureThreshold: 3,
      callRegularly: true,
    });
  });

  it('lets a longer startup timeout replace the start period of the health check', () => {
    const healthCheckConfig = { path: '/ready', startPeriodSeconds: 20, method: 1, callRegularly: false } as const;
    const { healthCheck } = parse({ healthCheckConfig }, { startupTimeoutSeconds: 90 });
    assert.equal(healthCheck?.startPeriodMs, 90_000);
    assert.equal(healthCheck.method, 'POST');
    assert.equal(healthCheck.callRegularly, false);
  });

  it('refuses health checks that cannot be made', () => {
    const withCheck =
      (healthCheckConfig: NonNullable<MessageInitShape<typeof HostedRunSchema>['healthCheckConfig']>) => () =>
        parse({ healthCheckConfig });
    assert.throws(withCheck({ path: 'ready' }), refused(/begins with "\/"/));
    assert.throws(withCheck({ path: '/a b' }), refused(/no spaces/));
    assert.throws(withCheck({ path: '/a', timeoutSeconds: 0 }), refused(/timeout_seconds of the health check is 0/));
    assert.throws(withCheck({ path: '/a', failureThreshold: -1 }), refused(/failure_threshold/));
    assert.throws(withCheck({ path: '/a', startPeriodSeconds: -1 }), refused(/start_period_seconds/));
    assert.throws(withCheck({ path: '/a', method: 7 as never }), refused(/number 7/));
  });

  it('reads the older health check path', () => {
    assert.equal(parse({}, { healthCheckPath: '/old' }).healthCheck?.path, '/old');
  });

  it('refuses named volumes', () => {
    assert.throws(
      () => parse({ volumes: [{ volumeName: 'v', mountPath: '/v' }] }),
      refused(/volumes/, 'unimplemented'),
    );
  });

  const hash = 'a'.repeat(64);
  const otherHash = 'b'.repeat(64);

  it('keeps files and drops repetitions', () => {
    const files = [
      { hash, relativePath: 'pkg/a.py' },
      { hash, relativePath: 'pkg/a.py' },
      { hash, relativePath: 'b.py' },
    ];
    assert.deepEqual(parse({ files }).files, [
      { hash, relativePath: 'pkg/a.py' },
      { hash, relativePath: 'b.py' },
    ]);
  });

  for (const relativePath of ['', '/etc/passwd', '../x', 'a/../../x', './a', 'a//b', 'a/', 'a\\b', 'a\0b', 'a/./b']) {
    it(`refuses the file path ${JSON.stringify(relativePath)}`, () => {
      assert.throws(() => parse({ files: [{ hash, relativePath }] }), refused(/cannot be used/));
    });
  }

  it('refuses files that contradict each other', () => {
    const withFiles =
      (...files: { hash: string; relativePath: string }[]) =>
      () =>
        parse({ files });
    assert.throws(
      withFiles({ hash, relativePath: 'a' }, { hash: otherHash, relativePath: 'a' }),
      refused(/listed twice/),
    );
    assert.throws(
      withFiles({ hash, relativePath: 'a' }, { hash, relativePath: 'a/b' }),
      refused(/file and as a folder/),
    );
    assert.throws(withFiles({ hash: 'A'.repeat(64), relativePath: 'a' }), refused(/lower-case hex SHA-256/));
  });

  it('accepts mounts below /data alone', () => {
    assert.deepEqual(parse({ dataMounts: ['/data', '/data/.cache', '/data'] }).dataMounts, ['/data', '/data/.cache']);
    for (const path of ['/', '/etc', '/database', '/data/../etc', 'data', '/data/', '/data//x']) {
      assert.throws(() => parse({ dataMounts: [path] }), refused(/\/data or a folder below/), path);
    }
  });
});
