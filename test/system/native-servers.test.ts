import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { spawnSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { join } from 'node:path';
import { repositoryRoot, startPlatform, type Platform } from './platform.ts';

/** Why servers in other languages get no address of their own here, or null. */
function reasonToSkip(): string | null {
  const probe = join(repositoryRoot, 'packages/supervisor/python/sandbox.py');
  const { stdout } = spawnSync('python3', ['-I', probe, '--probe'], { encoding: 'utf8' });
  const { addresses, addressesReason } = JSON.parse(stdout) as { addresses: string; addressesReason: string };
  return addresses === 'kernel' ? null : addressesReason;
}

const reason = reasonToSkip();

const isOpen = (host: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 3000 });
    const answer = (open: boolean) => (): void => {
      socket.destroy();
      resolve(open);
    };
    socket.once('connect', answer(true)).once('error', answer(false)).once('timeout', answer(false));
  });

/** Addresses of runners that listen on a port, from the kernel's table: `: 0904539D:1F90 00000000:0000 0A`, little-endian. */
async function runnersOn(port: number): Promise<string[]> {
  const table = await readFile('/proc/net/tcp', 'utf8');
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0');
  return [...table.matchAll(/: ([0-9A-F]{8}):([0-9A-F]{4}) 00000000:0000 0A/g)]
    .filter(([, , found]) => found === hexPort)
    .map(([, address]) => Buffer.from(address!, 'hex').toReversed().join('.'))
    .filter((address) => /^127\.(3[2-9]|[4-9]\d|1\d\d|2[01]\d|22[0-3])\./.test(address));
}

describe('two live servers past Python, both on 0.0.0.0:8080', reason === null ? {} : { skip: reason }, () => {
  let platform: Platform;
  let address: string;
  const hosts = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ scopeid }) => !scopeid)
    .map((each) => each.address);
  /** Somebody else's servers on this machine. */
  const openBefore = new Set<string>();
  before(async () => {
    for (const host of hosts) if (await isOpen(host, 8080)) openBefore.add(host);
    platform = await startPlatform();
    for (const name of ['subprocess_server', 'native_server']) {
      const { code, stdout, stderr } = await platform.fal([
        'deploy',
        `test/system/apps/native_servers.py::${name}`,
        '--auth',
        'public',
      ]);
      assert.equal(code, 0, stdout + stderr);
    }
    ({ address } = await ask('/native_server/'));
  });
  after(() => platform.stop());

  const ask = async (path: string): Promise<{ address: string; errno?: number }> => {
    const response = await platform.call(path, { method: 'GET' });
    assert.equal(response.status, 200, await response.clone().text());
    return (await response.json()) as { address: string };
  };

  it('answer through the gateway, each as itself', async () => {
    const response = await platform.call('/subprocess_server/', { method: 'GET' });
    assert.deepEqual([response.status, await response.text()], [200, 'subprocess']);
    assert.match((await ask('/native_server/')).address, /^127\.\d+\.\d+\.\d+$/);
  });

  it('are not reachable from the network, nor at 127.0.0.1', async () => {
    assert.ok(await isOpen(address, 8080), 'the platform reaches it');
    for (const host of hosts) {
      if (!openBefore.has(host)) assert.ok(!(await isOpen(host, 8080)), host);
    }
  });

  it('cannot reach each other, but the platform and what the machine serves on loopback', async () => {
    const others = (await runnersOn(8080)).filter((each) => each !== address);
    assert.ok(others.length > 0, 'the other runner listens');
    for (const host of others) assert.equal((await ask(`/native_server/reach/${host}:8080`)).errno, 111, host);
    assert.equal((await ask('/native_server/reach/127.0.0.1:8080')).errno, 0, 'its own server, by the usual name');
    const { port } = new URL(platform.clearOrigin);
    assert.equal((await ask(`/native_server/reach/127.0.0.1:${port}`)).errno, 0, 'the platform');
  });
});
