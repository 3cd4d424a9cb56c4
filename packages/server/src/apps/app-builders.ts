import type { CodeSpec } from './app-types.ts';
import type { NewRevision } from './apps.ts';

/** Builders for tests: a small app, with what the test is about given. */
export function aCodeSpec(given: Partial<CodeSpec> = {}): CodeSpec {
  return {
    environment: { kind: 'virtualenv', configuration: { requirements: ['numpy'], python_version: '3.11' } },
    callable: { kind: 'entrypoint', entrypoint: 'app:App' },
    runOnMainThread: false,
    exposedPort: 8080,
    metricsPort: null,
    healthCheck: null,
    files: [{ hash: 'ab'.repeat(32), relativePath: 'app.py' }],
    dataMounts: [],
    secretNames: null,
    terminationGraceSeconds: 5,
    numGpus: null,
    ...given,
  };
}

export function aNewRevision(accountId: string, given: Partial<NewRevision> = {}): NewRevision {
  return {
    accountId,
    environmentName: 'main',
    aliasName: 'app',
    code: aCodeSpec(),
    settings: {},
    metadata: null,
    sourceCode: null,
    privateLogs: false,
    skipRetryConditions: [],
    retryConfig: null,
    ...given,
  };
}
