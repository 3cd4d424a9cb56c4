import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startPlatform, type Platform } from './platform.ts';

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
    handles = [await fal_client.submit_async("acme/queued", arguments={"name": f"a{i}"}) for i in range(8)]
    results = [await handle.get() for handle in handles]
    assert [r["name"] for r in results] == [f"a{i}" for i in range(8)]
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
except Exception as error:
    assert "400" in str(error), error
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
});
