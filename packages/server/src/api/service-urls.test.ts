import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Origin } from '../ports/route.ts';
import { serviceUrls } from './service-urls.ts';

const pathOrigin: Origin = {
  mode: 'path',
  scheme: 'https',
  hosts: {
    grpcHost: 'localhost:8443',
    restHost: 'localhost:8443',
    runHost: 'localhost:8443/run',
    queueHost: 'localhost:8443/queue',
    wsHost: 'localhost:8443/ws',
    cdnHost: 'localhost:8443/cdn',
    kvHost: 'localhost:8443/kv',
  },
};

describe('serviceUrls', () => {
  it('keeps the path prefixes of path mode', () => {
    assert.deepEqual(serviceUrls(pathOrigin, 'alice', 'hello'), {
      playground: 'https://localhost:8443/models/alice/hello',
      run: 'https://localhost:8443/run/alice/hello',
      queue: 'https://localhost:8443/queue/alice/hello',
      ws: 'wss://localhost:8443/ws/alice/hello',
      log: 'https://localhost:8443/dashboard/apps/alice/hello/logs',
    });
  });

  it('uses the hosts of domain mode as they are', () => {
    const origin: Origin = {
      mode: 'domain',
      scheme: 'https',
      hosts: {
        grpcHost: 'api.l.example',
        restHost: 'rest.l.example',
        runHost: 'l.example',
        queueHost: 'queue.l.example',
        wsHost: 'ws.l.example',
        cdnHost: 'cdn.l.example',
        kvHost: 'kv.l.example',
      },
    };
    const urls = serviceUrls(origin, 'alice', 'hello--staging');
    assert.equal(urls.run, 'https://l.example/alice/hello--staging');
    assert.equal(urls.queue, 'https://queue.l.example/alice/hello--staging');
    assert.equal(urls.ws, 'wss://ws.l.example/alice/hello--staging');
  });

  it('answers a clear-text caller with clear-text URLs', () => {
    const urls = serviceUrls({ ...pathOrigin, scheme: 'http' }, 'alice', 'hello');
    assert.equal(urls.run, 'http://localhost:8443/run/alice/hello');
    assert.equal(urls.ws, 'ws://localhost:8443/ws/alice/hello');
  });

  it('keeps names from breaking out of their path segment', () => {
    assert.equal(serviceUrls(pathOrigin, 'alice', 'a/b?c').run, 'https://localhost:8443/run/alice/a%2Fb%3Fc');
  });
});
