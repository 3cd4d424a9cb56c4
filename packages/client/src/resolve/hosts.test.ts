import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isClientError } from '../errors/client-error.ts';
import { deriveRunHost, resolveHosts } from './hosts.ts';

const invalid = (error: unknown): boolean => isClientError(error) && error.code === 'invalid_host';

describe('hosts', () => {
  test('are those of the hosted platform when nothing is set', () => {
    assert.deepEqual(resolveHosts({}, undefined, undefined), {
      grpc: 'api.alpha.fal.ai',
      accountUrl: 'https://rest.alpha.fal.ai',
      restUrl: 'https://rest.alpha.fal.ai',
      runUrl: 'https://fal.run',
      queueUrl: 'https://queue.fal.run',
    });
  });

  // The worked values of the official client.
  const worked: [Record<string, string>, string, string, string, string][] = [
    [
      { FAL_HOST: 'api.lanner.example' },
      'https://rest.lanner.example',
      'https://rest.lanner.example',
      'lanner.example',
      'queue.lanner.example',
    ],
    [
      { FAL_HOST: 'api.lanner.example:8443' },
      'https://rest.lanner.example:8443',
      'https://rest.lanner.example:8443',
      'lanner.example:8443',
      'queue.lanner.example:8443',
    ],
    [
      { FAL_GRPC_HOST: 'lanner.example' },
      'https://lanner.example',
      'https://lanner.example',
      'lanner.example',
      'queue.lanner.example',
    ],
    [
      { FAL_GRPC_HOST: 'grpc.l.example', FAL_REST_HOST: 'rest.l.example' },
      'https://rest.l.example',
      'https://grpc.l.example',
      'grpc.l.example',
      'queue.grpc.l.example',
    ],
    [
      { FAL_GRPC_HOST: 'my-api.example' },
      'https://my-api.example',
      'https://my-rest.example',
      'my-example',
      'queue.my-example',
    ],
    [
      { FAL_HOST: 'api.alpha.corp.ai' },
      'https://rest.alpha.corp.ai',
      'https://rest.alpha.corp.ai',
      'corp.run',
      'queue.corp.run',
    ],
    [
      { ISOLATE_TEST_MODE: '1', FAL_HOST: 'localhost:6005' },
      'http://localhost:6005',
      'http://localhost:6005',
      'localhost:6005',
      'queue.localhost:6005',
    ],
    [
      { ISOLATE_AUTH_DISABLED: '1', FAL_HOST: 'api.x.test' },
      'http://rest.x.test',
      'http://rest.x.test',
      'x.test',
      'queue.x.test',
    ],
  ];
  for (const [environment, account, rest, run, queue] of worked) {
    test(`follow from ${JSON.stringify(environment)}`, () => {
      const hosts = resolveHosts(environment, undefined, undefined);
      assert.deepEqual(
        [hosts.accountUrl, hosts.restUrl, hosts.runUrl, hosts.queueUrl],
        [account, rest, `https://${run}`, `https://${queue}`],
      );
    });
  }

  test('come from LANNER_ variables before FAL_ ones, and from code before both', () => {
    const environment = {
      LANNER_HOST: 'mine:1',
      FAL_GRPC_HOST: 'theirs:2',
      LANNER_RUN_HOST: 'run:3',
      FAL_RUN_HOST: 'run:4',
    };
    assert.equal(resolveHosts(environment, undefined, undefined).grpc, 'mine:1');
    assert.equal(resolveHosts(environment, undefined, undefined).runUrl, 'https://run:3');
    assert.equal(resolveHosts(environment, 'code:5', undefined).grpc, 'code:5');
  });

  test('of a host given in code lead files there too, whatever FAL_REST_HOST says', () => {
    const environment = { FAL_GRPC_HOST: 'a.example', FAL_REST_HOST: 'a.example' };
    assert.equal(resolveHosts(environment, 'api.b.example', undefined).accountUrl, 'https://rest.b.example');
  });

  test('of a host given in code lead calls there too: by path, or by the names of a domain', () => {
    const environment = {
      FAL_GRPC_HOST: 'a.example',
      FAL_RUN_HOST: 'a.example/run',
      FAL_QUEUE_RUN_HOST: 'q.a.example',
    };
    const byPath = resolveHosts(environment, 'localhost:8443', undefined);
    assert.equal(byPath.runUrl, 'https://localhost:8443/run');
    assert.equal(byPath.queueUrl, 'https://localhost:8443/queue');
    const byName = resolveHosts(environment, 'api.b.example', undefined);
    assert.equal(byName.runUrl, 'https://b.example');
    assert.equal(byName.queueUrl, 'https://queue.b.example');
    const same = resolveHosts(environment, 'a.example', undefined);
    assert.equal(same.runUrl, 'https://a.example/run');
    assert.equal(same.queueUrl, 'https://q.a.example');
  });

  test('of a profile count when no variable does', () => {
    const profile = { value: 'api.profile.example', from: 'the profile' };
    assert.equal(resolveHosts({}, undefined, profile).grpc, 'api.profile.example');
    assert.equal(resolveHosts({ FAL_HOST: 'api.variable.example' }, undefined, profile).grpc, 'api.variable.example');
  });

  test('are refused when FAL_HOST does not start with api, or when they are URLs', () => {
    assert.throws(() => resolveHosts({ FAL_HOST: 'lanner.example' }, undefined, undefined), invalid);
    assert.throws(() => resolveHosts({}, 'https://lanner.example', undefined), invalid);
    assert.throws(() => resolveHosts({}, 'lanner.example/path', undefined), invalid);
  });

  test('run hosts lose the first api. and alpha., and .ai becomes .run', () => {
    assert.equal(deriveRunHost('api.alpha.fal.ai'), 'fal.run');
    assert.equal(deriveRunHost('localhost:8443'), 'localhost:8443');
  });
});
