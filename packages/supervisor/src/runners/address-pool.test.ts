import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { createAddressPool } from './address-pool.ts';

describe('the address pool', () => {
  it('gives each live runner its own loopback address', () => {
    const pool = createAddressPool('/data');
    const addresses = Array.from({ length: 70_000 }, () => pool.allocate());
    assert.equal(new Set(addresses).size, addresses.length);
    for (const address of addresses) {
      const [first, second, third, last] = address.split('.').map(Number) as [number, number, number, number];
      assert.ok(first === 127 && second >= 32 && second <= 223 && third >= 0 && third <= 255, address);
      assert.ok(last >= 1 && last <= 254, address);
    }
  });

  it('stays within the addresses that runners keep away from', async () => {
    const rules = new URL('../../python/lanner_bridge/address_rules.py', import.meta.url);
    assert.match(await readFile(rules, 'utf8'), /^_FIRST_SECOND_OCTET, _LAST_SECOND_OCTET = 32, 223$/m);
  });

  it('begins at the same place for the same folder and elsewhere for another', () => {
    assert.equal(createAddressPool('/a').allocate(), createAddressPool('/a').allocate());
    assert.notEqual(createAddressPool('/a').allocate(), createAddressPool('/b').allocate());
  });

  it('lets a released address rest', () => {
    const pool = createAddressPool('/data');
    const first = pool.allocate();
    pool.release(first);
    assert.notEqual(pool.allocate(), first);
  });
});
