/** Deploys an app, scales it, calls it, reads its log, stops its runner and deletes it. Run with `node examples/automate/automate.ts`. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ServerlessClient } from '@lanner/client';

await using client = new ServerlessClient();
const { nickname } = await client.accounts.current();

const { appName, revision } = await client.deploy(join(import.meta.dirname, '../hello/app.py'), {
  appName: 'automated',
});
console.log(`deployed ${appName} as ${revision}`);
await client.apps.scale(appName, { keepAlive: 60, maxConcurrency: 2, minConcurrency: 1 });

let [runner] = await client.apps.runners(appName, { state: ['IDLE'] });
while (!runner) {
  await sleep(200);
  [runner] = await client.apps.runners(appName, { state: ['IDLE'] });
}
console.log(`runner ${runner.runnerId} is ready`);

const { data } = await client.run<{ message: string }>(`${nickname}/${appName}`, { input: { name: 'Ada' } });
console.log(data.message);
for (const { level, message } of await client.runners.logs(runner.runnerId, { last: 3 }))
  console.log(`  ${level}: ${message}`);

await client.apps.scale(appName, { minConcurrency: 0 });
await client.runners.stop(runner.runnerId);
console.log(`deleted revision ${await client.apps.delete(appName)}`);
