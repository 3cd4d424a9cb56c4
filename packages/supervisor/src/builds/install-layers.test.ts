import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { it } from 'node:test';
import { startTestSupervisor } from '../testing/test-supervisor.ts';

it('what each layer installs is compiled: a finished tree is only read', async () => {
  const test = await startTestSupervisor();
  try {
    const trees = join(test.dataDir, 'environments/acct_test/trees');
    const before = await readdir(trees);
    const environment = { kind: 'virtualenv' as const, configuration: { requirements: [['six'], ['toolz'], []] } };
    const built = await test.api.build({ accountId: 'acct_test', accountOrdinal: 7, environment, force: false });
    assert.equal(built.at(-1)?.type, 'done', JSON.stringify(built.at(-1)));
    const tree = (await readdir(trees)).find((name) => !before.includes(name))!;
    const compiled = (await readdir(join(trees, tree), { recursive: true })).filter((name) => name.endsWith('.pyc'));
    for (const name of [/\/six\./, /\/toolz\//, /\/cloudpickle\//])
      assert.ok(
        compiled.some((path) => name.test(path)),
        `${name} is compiled`,
      );
  } finally {
    await test.stop();
  }
});
