import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { createResolveHost } from './resolve-host.ts';

it('addresses of a host: the hosts file first, and names of the machine without asking anybody', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'lanner-hosts-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const hostsFile = join(folder, 'hosts');
  await writeFile(
    hostsFile,
    '# 9.9.9.9 hook.example\n10.0.0.7\tother Hook.Example # here\n::7 hook.example\nbad line\n',
  );
  const resolve = createResolveHost({ hostsFile });
  assert.deepEqual(await resolve('HOOK.example'), [
    { address: '10.0.0.7', family: 4 },
    { address: '::7', family: 6 },
  ]);
  assert.deepEqual(await resolve('app.localhost'), [
    { address: '127.0.0.1', family: 4 },
    { address: '::1', family: 6 },
  ]);
  assert.deepEqual(await resolve('192.0.2.1'), [{ address: '192.0.2.1', family: 4 }]);
  assert.equal((await createResolveHost({ hostsFile: join(folder, 'none') })('localhost')).length, 2);
});
