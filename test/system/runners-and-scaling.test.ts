import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { eventually, startPlatform, type Platform } from './platform.ts';

const app = 'test/system/apps/simple.py::SimpleApp';
const headers = { 'content-type': 'application/json' };

interface RunnerRow {
  runner_id: string;
  alias: string;
  machine_type: string;
  state: string;
  in_flight_requests: number;
  expiration_countdown: number | null;
  revision: string;
}

describe('runners and scaling, with the official CLI', () => {
  let platform: Platform;
  before(async () => {
    platform = await startPlatform();
    await ok(['deploy', app]);
    await scale('--max-concurrency', '1', '--keep-alive', '300');
  });
  after(() => platform.stop());

  const ok = async (args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await platform.fal(args);
    assert.equal(code, 0, `fal ${args.join(' ')}\n${stdout}${stderr}`);
    return stdout;
  };
  const refused = async (args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await platform.fal(args);
    assert.equal(code, 1, `fal ${args.join(' ')}\n${stdout}${stderr}`);
    return stdout;
  };
  const scale = (...flags: string[]): Promise<string> => ok(['apps', 'scale', 'simple-app', ...flags]);
  const info = async (): Promise<Record<string, unknown>> =>
    (JSON.parse(await ok(['apps', 'list', '--json'])) as { apps: Record<string, unknown>[] }).apps[0]!;
  const runners = async (...more: string[]): Promise<RunnerRow[]> =>
    (JSON.parse(await ok(['apps', 'runners', 'simple-app', '--json', ...more])) as { runners: RunnerRow[] }).runners;
  const call = (path = '/', signal?: AbortSignal): Promise<Response> =>
    platform.call(`/simple-app${path}`, { method: 'POST', headers, body: '{"a": 1}', ...(signal ? { signal } : {}) });
  const jobOf = async (response: Response): Promise<string> => {
    const text = await response.text();
    assert.equal(response.status, 200, text);
    return (JSON.parse(text) as { job: string }).job;
  };
  /** Calls the app one after the other while something happens; no call may fail. Returns the runners that answered. */
  const underLoad = async (action: () => Promise<unknown>): Promise<string[]> => {
    const jobs = new Set<string>();
    let isOver = false;
    const caller = async (): Promise<void> => {
      while (!isOver) jobs.add(await jobOf(await call()));
    };
    const callers = Promise.all([caller(), caller()]);
    try {
      await Promise.race([action(), callers]);
    } finally {
      isOver = true;
    }
    await callers;
    return [...jobs];
  };

  it('keeps one idle runner for the next request and lists it', async () => {
    const first = await jobOf(await call());
    assert.equal(await jobOf(await call()), first);
    const rows = await runners();
    assert.equal(rows.length, 1);
    const { runner_id: id, alias, machine_type: machineType, state, revision } = rows[0]!;
    assert.deepEqual([id, alias, machineType, state], [first, 'simple-app', 'S', 'IDLE']);
    assert.equal(revision, (await info())['revision']);
    assert.ok(rows[0]!.expiration_countdown! > 0 && rows[0]!.expiration_countdown! <= 300);
    const all = JSON.parse(await ok(['runners', 'list', '--since', '1m', '--json'])) as { runners: RunnerRow[] };
    assert.ok(all.runners.some((row) => row.runner_id === first));
  });

  it('shows the requests a runner works on, until they end', async () => {
    const stop = new AbortController();
    const slow = call('/slow?seconds=20', stop.signal).catch(() => undefined);
    await eventually(async () => {
      const [row] = await runners();
      assert.deepEqual([row?.state, row?.in_flight_requests, row?.expiration_countdown], ['RUNNING', 1, null]);
    }, 10_000);
    const table = await ok(['apps', 'runners', 'simple-app']);
    assert.match(table, /Requests: 1/);
    stop.abort();
    await slow;
    await eventually(async () => assert.equal((await runners())[0]?.in_flight_requests, 0), 30_000);
  });

  it('stops a runner; the next request gets another, and the old one is listed only when asked for', async () => {
    const stopped = await jobOf(await call());
    await ok(['runners', 'stop', stopped]);
    const next = await jobOf(await call());
    assert.notEqual(next, stopped);
    await eventually(
      async () =>
        assert.deepEqual(
          (await runners()).map((row) => row.runner_id),
          [next],
        ),
      10_000,
    );
    const withEnded = await runners('--since', '10m');
    assert.equal(withEnded.find((row) => row.runner_id === stopped)?.state, 'TERMINATED');
  });

  it('replaces a runner first when asked to, and rolls out, without a failed request', async () => {
    const old = await jobOf(await call());
    const jobs = await underLoad(async () => {
      await ok(['runners', 'stop', '-r', old]);
      await eventually(async () => assert.ok((await runners()).every((row) => row.runner_id !== old)), 20_000);
    });
    assert.equal(jobs.length, 2, 'the old one and its replacement');
    const replacement = jobs.find((job) => job !== old)!;
    const more = await underLoad(async () => {
      await ok(['apps', 'rollout', 'simple-app']);
      await eventually(async () => assert.ok((await runners()).every((row) => row.runner_id !== replacement)), 20_000);
    });
    assert.deepEqual(new Set(more).size, 2);
    assert.ok(more.includes(replacement));
  });

  it('kills a busy runner, and all of an app by force', async () => {
    const victim = await jobOf(await call());
    const busy = call('/slow?seconds=30');
    await eventually(async () => assert.equal((await runners())[0]?.in_flight_requests, 1), 10_000);
    await ok(['runners', 'kill', victim]);
    const { status, headers: answered } = await busy;
    assert.deepEqual([status, answered.get('x-fal-error-type')], [503, 'runner_disconnected']);
    assert.ok((await runners()).every((row) => row.runner_id !== victim));

    const second = await jobOf(await call());
    const stuck = call('/slow?seconds=30');
    await eventually(async () => assert.equal((await runners())[0]?.in_flight_requests, 1), 10_000);
    await ok(['apps', 'rollout', 'simple-app', '--force']);
    assert.equal((await stuck).status, 503);
    assert.ok((await runners()).every((row) => row.runner_id !== second));
  });

  it('refuses runners that do not exist', async () => {
    assert.match(await refused(['runners', 'stop', 'no-such-runner']), /not found/);
    assert.match(await refused(['runners', 'kill', 'no-such-runner']), /not found/);
  });

  it('keeps a floor of runners without traffic, and lets them go after their idle time', async () => {
    await scale('--max-concurrency', '2', '--min-concurrency', '2');
    await eventually(async () => {
      assert.deepEqual(
        (await runners()).map((row) => row.state),
        ['IDLE', 'IDLE'],
      );
    }, 20_000);
    await call();
    await scale('--min-concurrency', '0', '--keep-alive', '1');
    await eventually(async () => assert.deepEqual(await runners(), []), 20_000);
  });

  it('sets every number and list on its own, 0 included', async () => {
    await scale(
      '--keep-alive',
      '0',
      '--max-concurrency',
      '4',
      '--concurrency-buffer',
      '1',
      '--concurrency-buffer-perc',
      '10',
    );
    await scale(
      '--max-multiplexing',
      '3',
      '--scaling-delay',
      '5',
      '--request-timeout',
      '44',
      '--startup-timeout',
      '77',
    );
    await scale('--machine-types', 'L', 'M', '--regions', 'us-east', '--request-start-timeout', '5');
    const set = await info();
    const expected = {
      keep_alive: 0,
      max_concurrency: 4,
      min_concurrency: 0,
      concurrency_buffer: 1,
      concurrency_buffer_perc: 10,
      max_multiplexing: 3,
      scaling_delay: 5,
      request_timeout: 44,
      request_start_timeout: 5,
      startup_timeout: 77,
      machine_types: ['L', 'M'],
      valid_regions: ['us-east'],
    };
    assert.deepEqual(Object.fromEntries(Object.keys(expected).map((key) => [key, set[key]])), expected);
    await scale('--request-start-timeout', '0', '--concurrency-buffer', '0', '--concurrency-buffer-perc', '0');
    const cleared = await info();
    assert.deepEqual(
      [cleared['request_start_timeout'], cleared['concurrency_buffer'], cleared['concurrency_buffer_perc']],
      [null, 0, 0],
    );
    assert.equal(cleared['request_timeout'], 44);
  });

  it('says what is wrong with a value', async () => {
    const wrong = (...flags: string[]): Promise<string> => refused(['apps', 'scale', 'simple-app', ...flags]);
    assert.match(await wrong('--min-concurrency', '9'), /min_concurrency is 9 but max_concurrency is 4/);
    assert.match(await wrong('--machine-types', 'HUGE'), /Unknown machine type "HUGE"\. This installation has XS, S,/);
    assert.match(await wrong('--keep-alive', '-5'), /keep_alive is -5, but has to be a whole number from 0/);
    assert.match(await refused(['apps', 'scale', 'nothing', '--keep-alive', '1']), /"nothing" was not found/);
  });

  it('goes back to a revision by either strategy', async () => {
    const first = String((await info())['revision']);
    await ok(['deploy', app]);
    const second = String((await info())['revision']);
    await scale('--keep-alive', '300', '--scaling-delay', '0');
    const old = await jobOf(await call());
    const jobs = await underLoad(async () => {
      await ok(['apps', 'set-rev', 'simple-app', first, '--strategy', 'rolling']);
      await eventually(async () => assert.ok((await runners()).every((row) => row.revision === first)), 20_000);
    });
    assert.ok(jobs.includes(old) && jobs.length >= 2);
    await ok(['apps', 'set-rev', 'simple-app', second, '--strategy', 'recreate']);
    assert.equal((await info())['revision'], second);
    await jobOf(await call());
    assert.match(await refused(['apps', 'delete-rev', second]), new RegExp(second));
    await ok(['apps', 'delete-rev', first]);
    assert.doesNotMatch(await ok(['apps', 'list-rev', 'simple-app']), new RegExp(first));
  });
});
