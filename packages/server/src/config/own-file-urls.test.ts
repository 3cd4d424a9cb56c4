import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ownFileUrls } from './own-file-urls.ts';

const ports = { tlsPort: 8443, httpPort: 8080 };
const onLoopback = { host: '127.0.0.1', domain: null, publicUrl: null };

describe('what the URLs of our files begin with', () => {
  it('names the loopback address and its name, on both ports, and nothing else', () => {
    assert.deepEqual(ownFileUrls(onLoopback, ports, ['192.168.1.5']), [
      'https://localhost:8443/cdn/files/',
      'https://127.0.0.1:8443/cdn/files/',
      'http://localhost:8080/cdn/files/',
      'http://127.0.0.1:8080/cdn/files/',
    ]);
  });

  it('names every address of the machine where the ports listen on all of them', () => {
    const urls = ownFileUrls({ ...onLoopback, host: '0.0.0.0' }, ports, ['192.168.1.5', 'fe80::1']);
    assert.ok(urls.includes('https://192.168.1.5:8443/cdn/files/'));
    assert.ok(!urls.some((url) => url.includes('fe80')));
    assert.ok(
      ownFileUrls({ ...onLoopback, host: '::' }, ports, ['fd00::2']).includes('https://[fd00::2]:8443/cdn/files/'),
    );
  });

  it('names the host of the domain, and what the outside calls us', () => {
    const inDomain = { host: '10.0.0.2', domain: 'l.example', publicUrl: 'https://l.example' };
    assert.deepEqual(ownFileUrls(inDomain, { tlsPort: 443, httpPort: 8080 }, []), [
      'https://10.0.0.2/cdn/files/',
      'https://cdn.l.example/files/',
      'http://10.0.0.2:8080/cdn/files/',
      'http://cdn.l.example:8080/files/',
    ]);
    const balanced = { host: '10.0.0.2', domain: null, publicUrl: 'https://ai.example:444/' };
    assert.ok(ownFileUrls(balanced, ports, []).includes('https://ai.example:444/cdn/files/'));
  });
});
