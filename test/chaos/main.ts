/** `npm run chaos [-- --kills 200 --seed 1]`: the campaign, its counts, and an exit status that says whether anything was lost. */
import { parseArgs } from 'node:util';
import { runCampaign } from './campaign.ts';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '200' },
    seed: { type: 'string', default: String(Date.now() % 100_000) },
  },
});
const report = (line: string): void => void process.stdout.write(`${line}\n`);
report(`${values.kills} kills, seed ${values.seed}`);
const result = await runCampaign({ kills: Number(values.kills), seed: Number(values.seed), report });
const { kills } = result;
report(`killed        server ${kills.server}, supervisor ${kills.supervisor}, runner ${kills.runner}`);
report(`acknowledged  ${result.acknowledged} (${result.refused} submits refused or cut off)`);
report(
  `executions    ${result.executions}, of these ${result.repeated} repeated after a runner or supervisor was killed`,
);
report(`unheard       ${result.unacknowledged} ran though their caller never got the answer to the submit`);
report(`lost ${result.lost.length}, doubled ${result.doubled.length}`);
for (const id of [...result.lost, ...result.doubled].slice(0, 20)) report(`  ${id}`);
process.exitCode = result.lost.length + result.doubled.length > 0 ? 1 : 0;
