import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isLannerError } from '@lanner/protocol';
import { allowsApp, allowsCall, parseAllowedApps } from './token-scope.ts';

const place = (owner: string, app: string, path = '/') => ({ owner, app, path });
const allows = (apps: string[], ...at: Parameters<typeof place>): boolean =>
  allowsCall(parseAllowedApps(apps), place(...at));

describe('the scope of a short-lived token', () => {
  it('is an app of any owner when it is named alone, as the official clients do', () => {
    assert.equal(allows(['my-app'], 'alice', 'my-app', '/realtime'), true);
    assert.equal(allows(['my-app'], 'bob', 'my-app'), true);
    assert.equal(allows(['my-app'], 'alice', 'my-app-2'), false);
    assert.equal(allows(['my-app'], 'alice', 'my-app--staging'), false);
    assert.equal(allows(['my-app'], 'my-app', 'other'), false);
  });

  it('is one app, or one path of it and what is below', () => {
    assert.equal(allows(['alice/my-app'], 'alice', 'my-app', '/anything/at/all'), true);
    assert.equal(allows(['alice/my-app'], 'bob', 'my-app'), false);
    assert.equal(allows(['alice/my-app/'], 'alice', 'my-app'), true);
    assert.equal(allows(['/alice/my-app/realtime'], 'alice', 'my-app', '/realtime'), true);
    assert.equal(allows(['alice/my-app/realtime'], 'alice', 'my-app', '/realtime/fast'), true);
    assert.equal(allows(['alice/my-app/realtime'], 'alice', 'my-app', '/realtime-2'), false);
    assert.equal(allows(['alice/my-app/realtime'], 'alice', 'my-app'), false);
  });

  it('knows the legacy form and the namespaces', () => {
    assert.equal(allows(['110602490-lcm'], '110602490', 'lcm', '/realtime'), true);
    assert.equal(allows(['110602490-lcm'], '110602490', 'other'), false);
    assert.equal(allows(['workflows/alice/flow'], 'workflows/alice', 'flow', '/stream'), true);
    assert.equal(allows(['workflows/alice/flow'], 'workflows/bob', 'flow'), false);
  });

  it('covers the requests of an app that it names in part', () => {
    const allowsRequests = (apps: string[], owner: string, app: string): boolean =>
      allowsApp(parseAllowedApps(apps), { owner, app });
    for (const apps of [['my-app'], ['alice/my-app'], ['alice/my-app/stream'], ['x', 'alice-my-app']]) {
      assert.equal(allowsRequests(apps, 'alice', 'my-app'), true, String(apps));
      assert.equal(allowsRequests(apps, 'alice', 'my-app-2'), false, String(apps));
    }
    assert.equal(allowsRequests(['alice/my-app/stream'], 'bob', 'my-app'), false);
    assert.equal(allowsRequests(['workflows/alice/flow'], 'workflows/alice', 'flow'), true);
  });

  it('never reaches beyond the text that was named, and its parser refuses or accepts whatever comes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ maxLength: 40 }), { maxLength: 4 }),
        fc.string(),
        fc.string(),
        (apps, owner, app) => {
          let scope: readonly string[];
          try {
            scope = parseAllowedApps(apps);
          } catch (error) {
            return assert.ok(isLannerError(error) && error.code === 'invalid_argument');
          }
          if (allowsCall(scope, place(owner, app))) {
            assert.ok(scope.some((allowed) => [app, `${owner}-${app}`, `${owner}/${app}`].includes(allowed)));
          }
        },
      ),
      { numRuns: 1000, seed: 1 },
    );
  });
});
