/** The short version of `npm run chaos`. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { runCampaign } from '../chaos/campaign.ts';

it('loses nothing and repeats nothing unexplained, whatever is killed', async (test) => {
  const result = await runCampaign({ kills: 8, seed: 1, report: (line) => test.diagnostic(line) });
  test.diagnostic(JSON.stringify(result));
  assert.deepEqual([result.lost, result.doubled], [[], []]);
  assert.ok(result.acknowledged > 20, 'there was load');
});
