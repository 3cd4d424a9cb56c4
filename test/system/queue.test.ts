import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { repositoryRoot, startPlatform, type Platform } from './platform.ts';

describe('the queue, through the official clients', () => {
  let platform: Platform;
  before(async () => {
    platform = await startPlatform();
    const deployed = await platform.fal(['deploy', 'test/system/apps/queued.py::Queued']);
    assert.equal(deployed.code, 0, deployed.stdout + deployed.stderr);
  });
  after(() => platform.stop());

  const python = async (script: string): Promise<string> => {
    const { code, stdout, stderr } = await platform.python(script, { timeoutMs: 60_000 });
    assert.equal(code, 0, stdout + stderr);
    return stdout;
  };
  const runs = async (): Promise<string[]> => {
    const accounts = readdirSync(join(platform.dataDir, 'data'));
    const text = await readFile(join(platform.dataDir, 'data', accounts[0]!, 'queued-runs.txt'), 'utf8');
    return text.trim().split('\n');
  };

  it('fal_client: submit, status, result; the same by id and again', async () => {
    const out = await python(`
import fal_client, time
handle = fal_client.submit("acme/queued", arguments={"name": "one", "seconds": 0.5})
seen = set()
while not isinstance(status := handle.status(with_logs=True), fal_client.Completed):
    seen.add(type(status).__name__)
    time.sleep(0.05)
assert handle.get()["name"] == "one"
assert handle.get()["id"] == handle.request_id
assert fal_client.result("acme/queued", handle.request_id) == handle.get()
assert fal_client.status("acme/queued", handle.request_id).logs is None
assert fal_client.status("acme/queued", handle.request_id) == fal_client.status("acme/queued", handle.request_id)
assert any("working on one" in line["message"] for line in handle.status(with_logs=True).logs), handle.status(with_logs=True)
again = fal_client.SyncClient().get_handle("acme/queued", handle.request_id)
assert (again.status_url, again.response_url, again.cancel_url) == (handle.status_url, handle.response_url, handle.cancel_url)
assert 0.4 < handle.status().metrics["inference_time"] < 5
print("IN" if "InProgress" in seen else seen)
`);
    assert.match(out, /^IN$/m);
  });

  it('fal_client: subscribe with logs, async client', async () => {
    const out = await python(`
import asyncio, fal_client
updates = []
result = fal_client.subscribe("acme/queued", arguments={"name": "two", "seconds": 0.3}, with_logs=True, on_queue_update=updates.append)
assert result["name"] == "two"
assert isinstance(updates[-1], fal_client.Completed) and updates[-1].logs
async def main():
    handles = [await fal_client.submit_async("acme/queued", arguments={"name": f"a{i}", "seconds": 0.2}) for i in range(8)]
    results = [await handle.get() for handle in handles]
    assert [r["name"] for r in results] == [f"a{i}" for i in range(8)]
    for i, handle in enumerate(handles):
        logs = (await handle.status(with_logs=True)).logs
        assert [line["message"] for line in logs if "working" in line["message"]] == [f"working on a{i}"], logs
asyncio.run(main())
print("fine")
`);
    assert.match(out, /fine/);
  });

  it('cancel of a running request asks the app; of a waiting one ends it unexecuted; of an ended one is refused', async () => {
    const out = await python(`
import fal_client, time, httpx
running = [fal_client.submit("acme/queued", arguments={}, path="/long") for _ in range(4)]
deadline = time.time() + 30
while not all(isinstance(h.status(), fal_client.InProgress) for h in running):
    assert time.time() < deadline
    time.sleep(0.05)
waiting = fal_client.submit("acme/queued", arguments={"name": "never"})
status = waiting.status()
assert isinstance(status, fal_client.Queued) and status.position == 0, status
second = fal_client.submit("acme/queued", arguments={"name": "never"})
assert second.status().position == 1
waiting.cancel(); second.cancel()
for handle in (waiting, second):
    try:
        handle.get(); raise SystemExit("no error")
    except fal_client.FalClientHTTPError as error:
        assert error.status_code == 499 and error.error_type == "client_cancelled", error
for handle in running:
    handle.cancel()
for handle in running:
    try:
        handle.get(); raise SystemExit("no error")
    except fal_client.FalClientHTTPError as error:
        assert error.status_code == 499 and "cancelled by the app" in str(error), error
try:
    waiting.cancel(); raise SystemExit("no error")
except fal_client.FalClientHTTPError as error:
    assert error.status_code == 400 and "ALREADY_COMPLETED" in str(error), error
print("fine")
`);
    assert.match(out, /fine/);
    assert.ok(!(await runs()).includes('never'));
  });

  it('start deadlines, statuses of the app and large bodies', async () => {
    const out = await python(`
import fal_client, time
blocking = [fal_client.submit("acme/queued", arguments={"seconds": 3}) for _ in range(4)]
late = fal_client.submit("acme/queued", arguments={"name": "late"}, start_timeout=1.2)
try:
    late.get(); raise SystemExit("no error")
except fal_client.FalClientHTTPError as error:
    assert error.status_code == 504 and error.error_type == "request_timeout", error
    assert error.response_headers["x-fal-request-timeout-type"] == "user", error.response_headers
assert all(h.get() for h in blocking)
try:
    fal_client.submit("acme/queued", arguments={"code": 422}, path="/status").get(); raise SystemExit("no error")
except fal_client.FalClientHTTPError as error:
    assert error.status_code == 422 and "as asked" in str(error), error
big = fal_client.submit("acme/queued", arguments={"text": "x" * 3_000_000}, path="/large").get()
assert len(big["text"]) == 3_000_000
print("fine")
`);
    assert.match(out, /fine/);
    assert.ok(!(await runs()).includes('late'));
  });

  it('@fal-ai/client: subscribe by polling and by streaming, queue calls', async () => {
    const script = `import { createRequire } from 'node:module';
import assert from 'node:assert/strict';
const { fal } = createRequire(${JSON.stringify(join(repositoryRoot, 'package.json'))})('@fal-ai/client');
const polled = await fal.subscribe('acme/queued', { input: { name: 'js', seconds: 0.2 }, logs: true, pollInterval: 100 });
assert.equal(polled.data.name, 'js');
const updates = [];
const streamed = await fal.subscribe('acme/queued', { input: { name: 'sse', seconds: 0.5 }, logs: true, mode: 'streaming', onQueueUpdate: (update) => updates.push(update) });
assert.equal(streamed.data.name, 'sse');
assert.ok(updates.some((update) => update.status === 'IN_PROGRESS'), JSON.stringify(updates));
assert.ok(updates.some((update) => (update.logs ?? []).some((line) => line.message.includes('working on sse'))), JSON.stringify(updates));
const { request_id: requestId } = await fal.queue.submit('acme/queued', { input: { name: 'q', seconds: 0.1 } });
let status;
do status = await fal.queue.status('acme/queued', { requestId, logs: false }); while (status.status !== 'COMPLETED');
assert.equal((await fal.queue.result('acme/queued', { requestId })).data.id, requestId);
await assert.rejects(fal.queue.cancel('acme/queued', { requestId }));
console.log('fine');
`;
    const { code, stdout, stderr } = await platform.lanner([
      'exec',
      '--data-dir',
      platform.dataDir,
      '--',
      'node',
      '--input-type=module',
      '-e',
      script,
    ]);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /fine/);
  });

  it('fal queue size and flush', async () => {
    const out = await python(`
import fal_client, time
blocking = [fal_client.submit("acme/queued", arguments={"seconds": 8}) for _ in range(4)]
deadline = time.time() + 30
while not all(isinstance(h.status(), fal_client.InProgress) for h in blocking):
    assert time.time() < deadline
    time.sleep(0.05)
for i in range(3): print(fal_client.submit("acme/queued", arguments={"name": "flushed"}).request_id)
`);
    const size = await platform.fal(['queue', 'size', 'queued']);
    assert.equal(size.code, 0, size.stdout + size.stderr);
    assert.match(size.stdout, /\b3\b/);
    const flushed = await platform.fal(['queue', 'flush', 'queued']);
    assert.equal(flushed.code, 0, flushed.stdout + flushed.stderr);
    assert.match((await platform.fal(['queue', 'size', 'queued'])).stdout, /\b0\b/);
    assert.ok(out.includes('-'));
    assert.ok(!(await runs()).includes('flushed'));
  });

  it('loses nothing and repeats nothing when the server is killed with 50 waiting and 4 running', async () => {
    const ids = (
      await python(`
import fal_client
for i in range(54): print(fal_client.submit("acme/queued", arguments={"name": f"k{i}", "seconds": 3.0 if i < 4 else 0.02}).request_id)
`)
    )
      .trim()
      .split('\n');
    assert.equal(ids.length, 54);
    await platform.killServer();
    await platform.startServer();
    const out = await python(`
import fal_client
for i, id in enumerate(${JSON.stringify(ids)}):
    handle = fal_client.SyncClient().get_handle("acme/queued", id)
    result = handle.get()
    assert result["name"] == f"k{i}" and result["id"] == id, (i, id, result)
    assert handle.get() == result
print("fine")
`);
    assert.match(out, /fine/);
    const counts = new Map<string, number>();
    for (const name of await runs()) if (/^k\d+$/.test(name)) counts.set(name, (counts.get(name) ?? 0) + 1);
    assert.equal(counts.size, 54);
    assert.deepEqual(
      [...counts].filter(([, count]) => count !== 1),
      [],
      'each ran once',
    );
  });

  it('repeats what ran when the supervisor was killed', async () => {
    const id = (
      await python(`
import fal_client, time
handle = fal_client.submit("acme/queued", arguments={"name": "again", "seconds": 2})
while not isinstance(handle.status(), fal_client.InProgress): time.sleep(0.02)
time.sleep(0.5)
print(handle.request_id)
`)
    ).trim();
    process.kill(Number(await readFile(join(platform.dataDir, 'run/supervisor.pid'), 'utf8')), 'SIGKILL');
    const out = await python(`
import fal_client
print(fal_client.SyncClient().get_handle("acme/queued", "${id}").get()["name"])
`);
    assert.match(out, /again/);
    assert.equal((await runs()).filter((name) => name === 'again').length, 2);
  });
});
