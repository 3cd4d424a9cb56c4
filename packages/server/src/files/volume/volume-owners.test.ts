import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { accountUid, LannerError, type SupervisorStatus } from '@lanner/protocol';
import type { Account } from '../../auth/accounts.ts';
import { createVolumeOwners } from './volume-owners.ts';

const accounts = { get: async (id: string) => (id === 'a' ? ({ ordinal: 3 } as Account) : null) };
const driverWith = (isolation: Partial<SupervisorStatus['isolation']>) => {
  const driver = {
    asked: 0,
    async status() {
      driver.asked += 1;
      return { isolation: { level: 'namespaces', reason: '', ...isolation } } as SupervisorStatus;
    },
  };
  return driver;
};

describe('the owner of files in the data volume', () => {
  it('is the account’s own user where runners have one; the supervisor is asked once', async () => {
    const driver = driverWith({ ownUids: true });
    const ownerOf = createVolumeOwners({ driver, accounts, isRoot: true });
    assert.deepEqual(await ownerOf('a'), { uid: accountUid(3), gid: accountUid(3) });
    assert.equal(await ownerOf('unknown'), null);
    assert.equal(driver.asked, 1);
    assert.notEqual(await createVolumeOwners({ driver: driverWith({}), accounts, isRoot: true })('a'), null);
  });

  it('is ours where runners are', async () => {
    const ordinary = driverWith({ ownUids: true });
    assert.equal(await createVolumeOwners({ driver: ordinary, accounts, isRoot: false })('a'), null);
    assert.equal(ordinary.asked, 0);
    for (const isolation of [{ ownUids: false }, { level: 'process-group' as const }]) {
      assert.equal(await createVolumeOwners({ driver: driverWith(isolation), accounts, isRoot: true })('a'), null);
    }
  });

  it('is asked for again when the supervisor could not answer', async () => {
    let fails = true;
    const driver = driverWith({ ownUids: true });
    const status = async (): Promise<SupervisorStatus> => {
      if (fails) throw new LannerError('supervisor_unavailable', 'not yet');
      return driver.status();
    };
    const ownerOf = createVolumeOwners({ driver: { status }, accounts, isRoot: true });
    await assert.rejects(ownerOf('a'), { code: 'supervisor_unavailable' });
    fails = false;
    assert.notEqual(await ownerOf('a'), null);
  });
});
