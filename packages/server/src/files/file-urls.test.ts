import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { routeRequest } from '../ports/route-request.ts';
import type { Origin } from '../ports/route.ts';
import { fileBaseUrl, parseFileUrl } from './file-urls.ts';

const here = { host: '127.0.0.1', domain: null, publicUrl: null };

function originOf(authority: string, addresses: { domain: string | null; publicUrl: string | null }): Origin {
  const routing = routeRequest(
    { authority, target: '/files/b/x', contentType: undefined, scheme: 'https', localPort: 8443 },
    addresses,
  );
  if ('refused' in routing) throw new Error(routing.message);
  return routing.origin;
}

describe('the URL of a file', () => {
  it('is of the kind by which the caller came', () => {
    assert.equal(fileBaseUrl(originOf('localhost:8443', here), here, 8443), 'https://localhost:8443/cdn');
    assert.equal(fileBaseUrl(originOf('127.0.0.1:8443', here), here, 8443), 'https://127.0.0.1:8443/cdn');
    const inDomain = { ...here, domain: 'l.example' };
    assert.equal(fileBaseUrl(originOf('cdn.l.example:8443', inDomain), inDomain, 8443), 'https://cdn.l.example:8443');
  });

  it('is the platform’s own for those who came by the hosted platform’s names', () => {
    const base = (config: typeof here | { host: string; domain: string | null; publicUrl: string | null }): string =>
      fileBaseUrl(originOf('v3.fal.media', config), config, 8443);
    assert.equal(base(here), 'https://localhost:8443/cdn');
    assert.equal(base({ ...here, domain: 'l.example' }), 'https://cdn.l.example:8443');
    assert.equal(base({ ...here, publicUrl: 'https://ai.example' }), 'https://ai.example/cdn');
    assert.equal(
      base({ ...here, domain: 'l.example', publicUrl: 'https://l.example:444' }),
      'https://cdn.l.example:444',
    );
    assert.equal(base({ ...here, host: '10.0.0.2' }), 'https://10.0.0.2:8443/cdn');
  });

  it('names its object, whatever host it was read by', () => {
    assert.equal(parseFileUrl('https://localhost:8443/cdn/files/b/abc/x.png?identity=1'), 'abc');
    assert.equal(parseFileUrl('https://cdn.l.example/files/b/abc'), 'abc');
    for (const url of ['', 'abc', 'https://h/files/b/', 'https://h/else/files/b/abc', 'https://h/files/upload']) {
      assert.equal(parseFileUrl(url), null, url);
    }
  });
});
