import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shortGpuName, toGpuCounts } from './gpu-counts.ts';

test('GPUs are counted by short name, most first, without CPU machines and zeros', () => {
  const counts = toGpuCounts({ S: 4, 'GPU-H100': 2, 'H100 SXM': 1, 'GPU-L40S': 9, 'GPU-A100': 0, XL: 1 });
  assert.deepEqual(counts, { gpus: { L40: 9, H100: 3 }, total: 12 });
  assert.deepEqual(Object.keys(counts.gpus), ['L40', 'H100']);
});

test('names are shortened as the official tools do', () => {
  const names: [string, string][] = [
    ['GPU-H200', 'H200'],
    ['NVIDIA L40', 'L40'],
    ['GPU-RTX5090', '5090'],
    ['RTX 5090', '5090'],
    ['RTX 4090', 'RTX 4090'],
    ['H100 MIG', 'H100 MIG'],
    ['GPU-A6000', 'A6000'],
    ['AMD MI300X', 'MI300X'],
    ['something-long', 'somet...'],
    ['short', 'short'],
  ];
  for (const [type, short] of names) assert.equal(shortGpuName(type), short);
});
