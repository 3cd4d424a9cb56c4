import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { isLannerError, type ErrorCode } from '@lanner/protocol';
import { permissionOfRestRoute, rpcPermissions } from './permission-map.ts';
import {
  hasPermission,
  permissionCatalogue,
  presets,
  requireGrantWithin,
  requirePermission,
  resolveGrant,
  type Permission,
  type Preset,
} from './permissions.ts';

const hasCode = (code: ErrorCode, text: RegExp) => (error: unknown) =>
  isLannerError(error) && error.code === code && text.test(error.message);
const holder = (...permissions: string[]) => ({ permissions: new Set(permissions) });
const holderOf = (preset: Preset) => holder(...presets[preset]);

describe('permissions', () => {
  it('are named area:object:verb', () => {
    for (const name of Object.keys(permissionCatalogue)) assert.match(name, /^[a-z]+:[a-z]+:[a-z]+$/);
  });

  it('come in the presets of the official client', () => {
    assert.deepEqual(Object.keys(presets), [
      'FULL',
      'API',
      'DEPLOY',
      'READONLY',
      'BILLING',
      'COMPUTE',
      'SERVERLESS',
      'AGENT',
    ]);
    for (const [preset, names] of Object.entries(presets)) {
      for (const name of names) assert.ok(name === '*' || name in permissionCatalogue, `${preset}: ${name}`);
      assert.equal(new Set<string>(names).size, names.length, preset);
    }
  });

  it('let FULL do everything, and nobody else make keys', () => {
    for (const name of Object.keys(permissionCatalogue)) assert.ok(hasPermission(holderOf('FULL'), name as Permission));
    for (const preset of Object.keys(presets) as Preset[]) {
      assert.equal(hasPermission(holderOf(preset), 'account:keys:write'), preset === 'FULL', preset);
    }
  });

  it('let API call apps and upload, but neither deploy nor read secrets', () => {
    const api = holderOf('API');
    for (const allowed of ['serverless:apps:run', 'models:requests:submit', 'storage:files:write'] as const)
      requirePermission(api, allowed);
    for (const denied of ['serverless:apps:deploy', 'serverless:secrets:read', 'account:settings:read'] as const) {
      assert.throws(
        () => requirePermission(api, denied),
        hasCode('insufficient_permissions', /Insufficient permissions/),
      );
    }
  });

  it('let READONLY change nothing', () => {
    for (const name of presets.READONLY) assert.match(name, /:read$/);
  });

  it('let DEPLOY do all that fal deploy does', () => {
    const deploy = holderOf('DEPLOY');
    for (const rpc of ['BuildEnvironment', 'RegisterApplication', 'ListAliases', 'SetAlias', 'Run'] as const) {
      requirePermission(deploy, rpcPermissions[rpc]);
    }
    for (const [method, path] of [
      ['POST', '/files/missing_hashes'],
      ['PUT', '/files/app/multipart/ab/cd/1'],
      ['GET', '/users/current'],
    ] as const) {
      requirePermission(deploy, permissionOfRestRoute(method, path)!);
    }
  });
});

describe('resolveGrant', () => {
  it('spells out a preset and keeps its name', () => {
    assert.deepEqual(resolveGrant({ preset: 'FULL' }), { preset: 'FULL', permissions: ['*'] });
  });

  it('takes a list as it is, once each', () => {
    assert.deepEqual(resolveGrant({ permissions: ['serverless:apps:run', 'serverless:apps:run'] }), {
      preset: null,
      permissions: ['serverless:apps:run'],
    });
  });

  it('refuses what it does not know, naming what there is', () => {
    assert.throws(() => resolveGrant({ preset: 'ROOT' }), hasCode('invalid_argument', /"ROOT".*FULL, API.*AGENT/));
    assert.throws(() => resolveGrant({ preset: 'constructor' }), hasCode('invalid_argument', /constructor/));
    assert.throws(
      () => resolveGrant({ permissions: ['apps:fly'] }),
      hasCode('invalid_argument', /"apps:fly".*serverless:apps:run/),
    );
    assert.throws(() => resolveGrant({ permissions: ['*'] }), hasCode('invalid_argument', /"\*"/));
    assert.throws(() => resolveGrant({ permissions: [] }), hasCode('invalid_argument', /without any permission/));
  });
});

describe('requireGrantWithin', () => {
  it('lets a key hand on what it has, and no more', () => {
    const some = holder('account:keys:write', 'serverless:apps:run');
    requireGrantWithin(some, { permissions: ['serverless:apps:run'] });
    requireGrantWithin(holder('*'), { preset: 'FULL' });
    assert.throws(
      () => requireGrantWithin(some, { preset: 'FULL' }),
      hasCode('insufficient_permissions', /Insufficient permissions/),
    );
    assert.throws(
      () => requireGrantWithin(some, { permissions: ['serverless:secrets:read'] }),
      hasCode('insufficient_permissions', /serverless:secrets:read/),
    );
  });
});

describe('the permission of a call', () => {
  it('is known for every RPC of the controller', () => {
    const folder = new URL('../../../../proto/', import.meta.url);
    const controller = readdirSync(folder, { recursive: true, encoding: 'utf8' }).find((file) =>
      file.endsWith('controller.proto'),
    );
    assert.ok(controller, 'proto/…/controller.proto is there');
    const text = readFileSync(new URL(controller, folder), 'utf8');
    const service = /service IsolateController \{([\s\S]*?)\n\}/.exec(text)?.[1] ?? '';
    const rpcs = [...service.matchAll(/\brpc (\w+)/g)].map((match) => match[1]!);
    assert.ok(rpcs.length > 20);
    assert.deepEqual(rpcs.toSorted(), Object.keys(rpcPermissions).toSorted());
  });

  it('is decided by the longest prefix of whole segments', () => {
    assert.equal(permissionOfRestRoute('GET', '/users/current'), 'account:settings:read');
    assert.equal(permissionOfRestRoute('POST', '/files/missing_hashes'), 'serverless:apps:deploy');
    assert.equal(permissionOfRestRoute('GET', '/files/list/models'), 'serverless:files:read');
    assert.equal(permissionOfRestRoute('POST', '/files/file/local/a'), 'serverless:files:write');
    assert.equal(permissionOfRestRoute('POST', '/files/upload/multipart'), 'storage:files:write');
    assert.equal(permissionOfRestRoute('PUT', '/storage/settings'), 'storage:settings:write');
    assert.equal(permissionOfRestRoute('GET', '/runners/one'), 'serverless:runners:read');
    assert.equal(permissionOfRestRoute('GET', '/usersx'), null);
    assert.equal(permissionOfRestRoute('GET', '/nowhere'), null);
  });
});
