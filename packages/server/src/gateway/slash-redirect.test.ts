import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { toPublicSlashRedirect } from './slash-redirect.ts';

const base = 'https://localhost:8443/run/alice/hello';

describe('a redirect that adds or takes a slash', () => {
  it('is led back to the app, whatever form it has', () => {
    for (const location of ['/a/b?x=1', 'https://localhost:8443/a/b?x=1', 'http://10.0.0.1/a/b?x=1']) {
      assert.equal(toPublicSlashRedirect(location, '/a/b/', base), `${base}/a/b?x=1`, location);
    }
    assert.equal(toPublicSlashRedirect('/a/', '/a', base), `${base}/a/`);
  });

  it('is told apart from every other redirect', () => {
    for (const location of ['/', '', '/else', 'https://other.example/', '//a', 'a', '/a', '/a//', '/cdn/files/b/x']) {
      assert.equal(toPublicSlashRedirect(location, '/a', base), null, location);
    }
    assert.equal(toPublicSlashRedirect('', '/', base), null);
    assert.equal(toPublicSlashRedirect('/', '/', base), null);
  });
});
