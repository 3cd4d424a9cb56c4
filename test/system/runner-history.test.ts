import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { eventually, startPlatform, type Platform } from './platform.ts';
import { addAccount } from './second-account.ts';

const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"a": 1}' };

interface RunnerRow {
  runner_id: string;
  alias: string;
  state: string;
}

describe('runners that are over, after the server was restarted', () => {
  let platform: Platform;
  before(async () => {
    platform = await startPlatform();
    const deployed = await platform.fal(['deploy', 'test/system/apps/simple.py::SimpleApp']);
    assert.equal(deployed.code, 0, deployed.stdout + deployed.stderr);
  });
  after(() => platform.stop());

  const rows = async (args: string[], key?: string): Promise<RunnerRow[]> => {
    const { code, stdout, stderr } = await platform.fal([...args, '--since', '1h', '--json'], {
      env: key === undefined ? {} : { FAL_KEY: key },
    });
    assert.equal(code, 0, stdout + stderr);
    return (JSON.parse(stdout) as { runners: RunnerRow[] }).runners;
  };
  const list = (key?: string): Promise<RunnerRow[]> => rows(['runners', 'list'], key);
  const rowOf = async (runnerId: string): Promise<RunnerRow | undefined> =>
    (await list()).find((row) => row.runner_id === runnerId);
  const callOnce = async (): Promise<string> => {
    const response = await platform.call('/simple-app/', post);
    assert.equal(response.status, 200, await response.clone().text());
    return ((await response.json()) as { job: string }).job;
  };
  /** Starts a runner by a call, and stops it. Resolves with how it is listed then. */
  const endedRunner = async (): Promise<RunnerRow> => {
    const runnerId = await callOnce();
    assert.equal((await platform.fal(['runners', 'stop', runnerId])).code, 0);
    await eventually(async () => assert.equal((await rowOf(runnerId))?.state, 'TERMINATED'), 20_000);
    return (await rowOf(runnerId))!;
  };

  it('are listed after kill -9, with those that died together with it, and to nobody else', async () => {
    const ended = await endedRunner();
    const live = await callOnce();
    const supervisor = Number(await readFile(join(platform.dataDir, 'run/supervisor.pid'), 'utf8'));
    await platform.killServer();
    process.kill(supervisor, 'SIGKILL');
    const stranger = await addAccount(platform.dataDir, 'stranger');
    await platform.startServer();

    assert.deepEqual(await rowOf(ended.runner_id), ended);
    assert.deepEqual(
      (await rows(['apps', 'runners', 'simple-app'])).find((row) => row.runner_id === ended.runner_id),
      ended,
    );
    assert.equal((await rowOf(live))?.state, 'TERMINATED');
    assert.deepEqual(await list(stranger), []);
    const told = await fetch(`${platform.clearOrigin}/runners/${live}`, {
      headers: { authorization: `Key ${platform.variables['FAL_KEY']}` },
    });
    assert.equal(((await told.json()) as { end_reason: string }).end_reason, 'lost with its supervisor');
  });

  it('are listed after a clean stop, which ends the others', async () => {
    const ended = await endedRunner();
    const live = await callOnce();
    assert.equal((await platform.lanner(['stop', '--data-dir', platform.dataDir])).code, 0);
    await platform.startServer();
    assert.deepEqual(await rowOf(ended.runner_id), ended);
    assert.equal((await rowOf(live))?.state, 'TERMINATED');
  });
});
