import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually, startPlatform, type CommandResult, type Platform } from './platform.ts';

const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' };

describe('callers while their app is changed under them', () => {
  let platform: Platform;
  const ok = ({ code, stdout, stderr }: CommandResult): string => {
    assert.equal(code, 0, stdout + stderr);
    return stdout;
  };
  const deploy = async (name: string, ...more: string[]): Promise<string> =>
    ok(await platform.fal(['deploy', 'test/system/apps/various.py::Various', '--app-name', name, ...more]));
  before(async () => {
    platform = await startPlatform();
    await deploy('changing');
  });
  after(() => platform.stop());

  const runnersOf = async (name: string): Promise<{ runner_id: string; state: string }[]> => {
    const { runners } = JSON.parse(ok(await platform.fal(['runners', 'list', '--output', 'json']))) as {
      runners: { runner_id: string; alias: string; state: string }[];
    };
    return runners.filter(({ alias, state }) => alias === name && state !== 'TERMINATED');
  };
  const job = async (name: string): Promise<string> => {
    const response = await platform.call(`/${name}/`, post);
    assert.equal(response.status, 200, await response.clone().text());
    return ((await response.json()) as { job: string }).job;
  };

  it('keep their answer when the runner is stopped, and lose it when it is killed', async () => {
    await job('changing');
    // one process that is ready before the call begins: the CLI would take seconds to come up on a busy machine
    const said = ok(
      await platform.python(`
import threading, time, fal_client
from fal.api import SyncServerlessClient
client = SyncServerlessClient()
def alive():
    return [r for r in client.runners.list() if r.alias == "changing" and r.state.value != "TERMINATED"]
def during_a_call(seconds, act):
    answer = []
    def call():
        try:
            answer.append(fal_client.run("acme/changing", path="/slow?seconds=%s" % seconds, arguments={})["job"])
        except fal_client.client.FalClientHTTPError as error:
            answer.append(error.status_code)
    thread = threading.Thread(target=call)
    thread.start()
    while not any(r.in_flight_requests for r in alive()):
        time.sleep(0.05)
    runner = next(r for r in alive() if r.in_flight_requests)
    act(runner.runner_id)
    early = list(answer)
    thread.join()
    print("answered" if answer == [runner.runner_id] else answer, "before" if early else "after")
during_a_call(4, client.runners.stop)
during_a_call(60, client.runners.kill)
`),
    );
    assert.equal(said, 'answered after\n[503] after\n', 'the stopped one finished its call, the killed one did not');
    await job('changing');
  });

  it('are moved to the new revision by a deploy, the call under way being finished by the old one', async () => {
    const before = await job('changing');
    const slow = platform.call('/changing/slow?seconds=4', post);
    await deploy('changing');
    const answered = await slow;
    assert.equal(answered.status, 200, await answered.clone().text());
    assert.equal(((await answered.json()) as { job: string }).job, before);
    assert.notEqual(await job('changing'), before);
  });

  it('are told at once when the app is deleted while they wait', async () => {
    await job('changing');
    const busy = platform.call('/changing/slow?seconds=20', post);
    await eventually(async () => {
      const probe = await platform.call('/changing/', {
        ...post,
        headers: { ...post.headers, 'x-fal-request-timeout': '0.2' },
      });
      assert.equal(probe.status, 504);
    }, 3_000);
    const startedAtMs = performance.now();
    const waiting = platform.call('/changing/', post);
    ok(await platform.fal(['apps', 'delete', 'changing']));
    const told = await waiting;
    assert.ok([404, 503].includes(told.status), `${told.status} ${await told.text()}`);
    assert.ok(performance.now() - startedAtMs < 15_000, 'it did not wait for the call before it');
    assert.equal((await platform.call('/changing/', post)).status, 404);
    await eventually(async () => assert.deepEqual(await runnersOf('changing'), []), 40_000);
    await busy;
  });
});
