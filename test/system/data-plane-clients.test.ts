/** The rest of what the official clients can be asked for: each call that no other file makes, by variables and under `lanner exec`. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { clientOf } from './client-of.ts';
import { repositoryRoot, startPlatform, type CommandResult, type Platform } from './platform.ts';

const pythonCalls = `
import asyncio, json, os
import fal.apps, fal_client, httpx
from fal_client import Completed, FalClientHTTPError, FalClientTimeoutError, InProgress

app = "acme/calls"

def refusal(call):
    try:
        call()
    except FalClientHTTPError as error:
        return error
    raise AssertionError("it was not refused")

# run
seen = fal_client.run(app, {"a": 1}, hint="warm", headers={"X-Mine": "yes", "X-Fal-Anything": "no"}, start_timeout=30)
assert (seen["path"], json.loads(seen["body"])) == ("/", {"a": 1}), seen
assert seen["headers"]["x-mine"] == "yes" and not {"x-fal-anything", "authorization"} & seen["headers"].keys(), seen
for place, path in ((app + "/deeper/grüße", ""), (app, "deeper/grüße"), (app, "/deeper/grüße"), (app + "/deeper", "grüße")):
    assert fal_client.run(place, {}, path=path)["path"] == "/deeper/grüße", (place, path)
assert fal_client.run(app, {}, path="bare") == "only a text"
assert "version" in fal_client.run(app, {"dropped": 1}, method="GET", path="/health")
assert refusal(lambda: fal_client.run(app, {}, method="PUT")).status_code == 405
unwanted = refusal(lambda: fal_client.run(app, {"note": "unwanted"}, path="typed"))
assert (unwanted.status_code, unwanted.message[0]["loc"]) == (422, ["body", "note"]), unwanted
assert len(unwanted.response_headers["x-fal-request-id"]) == 36
missing = refusal(lambda: fal_client.run(app, {}, path="missing"))
assert (missing.status_code, missing.response_headers["x-fal-billable-units"]) == (404, "0"), missing
assert refusal(lambda: fal_client.run("acme/nothing", {})).status_code == 404
assert refusal(lambda: fal_client.SyncClient(key="wrong:key").run(app, {})).status_code == 401
data = fal_client.encode("grüße", "text/plain")
assert json.loads(fal_client.run(app, {"file": data})["body"])["file"] == data

# subscribe
ids, updates = [], []
result = fal_client.subscribe(app, {"seconds": 0.4, "note": "n"}, path="/typed", with_logs=True, interval=0.05, hint="warm",
    priority="low", on_enqueue=ids.append, on_queue_update=updates.append, client_timeout=60)
assert result == {"note": "n"} and isinstance(updates[-1], Completed), updates
assert any(isinstance(update, InProgress) for update in updates), updates
assert [line["message"] for line in updates[-1].logs if "slept" in line["message"]] == ["slept 0.4"], updates[-1]
assert fal_client.result(app, ids[0]) == result
try:
    fal_client.subscribe(app, {}, path="until-cancelled", client_timeout=1.5)
except FalClientTimeoutError as error:
    late = fal_client.SyncClient().get_handle(app, error.request_id)
    assert [type(event) for event in late.iter_events(interval=0.05)][-1] is Completed
    assert refusal(late.get).status_code == 499
else:
    raise AssertionError("no timeout")

# by id, through an id with a path
handle = fal_client.submit(app + "/deeper/grüße", {"x": "é"}, priority="low", headers={"X-Mine": "1"})
assert handle.get()["id"] == handle.request_id and handle.get()["headers"]["x-mine"] == "1"
assert fal_client.result(app + "/deeper/grüße", handle.request_id) == handle.get()
assert isinstance(fal_client.status(app + "/deeper/grüße", handle.request_id, with_logs=True), Completed)
assert refusal(lambda: fal_client.cancel(app, handle.request_id)).status_code == 400
for unknown in (lambda: fal_client.status(app, "no-such-id"), lambda: fal_client.result(app, "no-such-id"), lambda: fal_client.cancel(app, "no-such-id")):
    assert refusal(unknown).status_code == 404
early = fal_client.submit(app, {}, path="until-cancelled")
assert httpx.get(early.response_url, headers={"Authorization": "Key " + os.environ["FAL_KEY"]}).status_code == 400
fal_client.cancel(app, early.request_id)
assert refusal(early.get).message == "cancelled, as asked"
done = early.status()
assert isinstance(done, Completed) and done.error, done

async def main():
    assert (await fal_client.run_async(app, {"a": 2}, hint="warm"))["path"] == "/"
    ids, updates = [], []
    result = await fal_client.subscribe_async(app, {"seconds": 0.4}, path="typed", with_logs=True, interval=0.05,
        on_enqueue=ids.append, on_queue_update=updates.append)
    assert result == {"note": None} and updates[-1].logs, updates
    assert await fal_client.result_async(app, ids[0]) == result
    assert isinstance(await fal_client.status_async(app, ids[0]), Completed)
    running = await fal_client.submit_async(app, {}, path="until-cancelled")
    async for event in running.iter_events(with_logs=True, interval=0.05):
        if isinstance(event, InProgress):
            await fal_client.cancel_async(app, running.request_id)
            break
    try:
        await running.get()
    except FalClientHTTPError as error:
        assert error.status_code == 499, error
    try:
        await fal_client.subscribe_async(app, {}, path="until-cancelled", client_timeout=1.5)
    except FalClientTimeoutError as error:
        assert isinstance(error.request_id, str)
    else:
        raise AssertionError("no timeout")
    # Many at once, by one client.
    results = await asyncio.gather(*(fal_client.subscribe_async(app, {"n": n}) for n in range(40)))
    assert [json.loads(each["body"])["n"] for each in results] == list(range(40))
    assert len({each["id"] for each in results}) == 40

asyncio.run(main())

# fal.apps; an id without an owner's slash is split at its first dash
assert fal.apps.run(app, {"b": 1}, path="/deeper/grüße")["path"] == "/deeper/grüße"
assert fal.apps.run("acme-calls", {}, path="bare") == "only a text"
handle = fal.apps.submit(app + "/typed", {"seconds": 0.6, "note": "apps"})
assert any(event.logs for event in list(handle.iter_events(logs=True)) if isinstance(event, fal.apps.InProgress))
status = handle.status(logs=True)
assert isinstance(status, fal.apps.Completed) and status.error is None and status.logs, status
assert handle.fetch_result() == fal.apps.RequestHandle("acme-calls", handle.request_id).get() == {"note": "apps"}
handle = fal.apps.submit(app, {}, path="until-cancelled")
try:
    handle.fetch_result()
except httpx.HTTPStatusError as error:
    assert error.response.status_code == 400
handle.cancel()
try:
    handle.get()
except httpx.HTTPStatusError as error:
    assert "499" in str(error) and "cancelled, as asked" in str(error), error
else:
    raise AssertionError("it was not cancelled")
assert [event.split(": ", 1)[1] for event in fal.apps.stream(app + "/stream", {})] == ['{"step": "one"}', '{"step": "two"}']
print("fine")
`;

/** Needs fal's own hosts. */
const pythonStorage = `
import httpx
from fal_client import StorageACL, StorageSettings, upload
settings = StorageSettings(expires_in="1h", initial_acl=StorageACL(default="forbid"))
url = upload(b"for me", "text/plain", "a.txt", lifecycle=settings)
assert httpx.get(url).status_code in (401, 403), httpx.get(url)
`;

const nodeCalls = `
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
const { fal, ApiError, ValidationError } = createRequire(${JSON.stringify(join(repositoryRoot, 'package.json'))})('@fal-ai/client');
const app = 'acme/calls';
const refusal = (promise) => promise.then(() => assert.fail('it was not refused'), (error) => error);

// run
const shown = await fal.run(app, { input: { a: 1 }, startTimeout: 30, storageSettings: { expiresIn: '1h' } });
assert.equal(shown.data.id, shown.requestId);
assert.deepEqual(JSON.parse(shown.data.headers['x-fal-object-lifecycle-preference']), { expiration_duration_seconds: 3600 });
assert.equal((await fal.run(app)).data.body, '');
for (const [id, path] of [[app + '/deeper/grüße'], [app, '/deeper/grüße'], [app + '/deeper', 'grüße/']]) {
  assert.equal((await fal.run(id, { path, input: {} })).data.path, '/deeper/grüße', id);
}
assert.ok((await fal.run(app, { path: 'health', method: 'get', input: { q: 1 } })).data.version);
assert.equal((await fal.run(app, { path: 'bare' })).data, 'only a text');
const unwanted = await refusal(fal.run(app, { path: 'typed', input: { note: 'unwanted' } }));
assert.ok(unwanted instanceof ValidationError && unwanted.status === 422, String(unwanted));
assert.equal(unwanted.fieldErrors[0].msg, 'not this note');
const missing = await refusal(fal.run('acme/nothing', { input: {} }));
assert.ok(missing instanceof ApiError && missing.status === 404 && missing.requestId.length === 36, String(missing));
const left = new AbortController();
const aborted = refusal(fal.run(app, { path: 'until-cancelled', input: {}, abortSignal: left.signal }));
setTimeout(() => left.abort(), 300);
assert.equal((await aborted).name, 'AbortError');

// subscribe, in every mode
for (const mode of [{ mode: 'polling', pollInterval: 50 }, { mode: 'streaming' }, { mode: 'streaming', connectionMode: 'client' }]) {
  const updates = [];
  const ids = [];
  const { data, requestId } = await fal.subscribe(app, {
    path: '/typed',
    input: { seconds: 0.5, note: 'js' },
    logs: true,
    priority: 'low',
    hint: 'warm',
    onEnqueue: (id) => ids.push(id),
    onQueueUpdate: (update) => updates.push(update),
    ...mode,
  });
  const about = JSON.stringify([mode, updates]);
  assert.deepEqual([data, requestId], [{ note: 'js' }, ids[0]], about);
  assert.equal(updates.at(-1).status, 'COMPLETED', about);
  assert.ok(updates.some(({ status }) => status === 'IN_PROGRESS'), about);
  assert.equal(updates.at(-1).logs.filter(({ message }) => message === 'slept 0.5').length, 1, about);
}
let lateId;
const onEnqueue = (id) => (lateId = id);
const late = await refusal(fal.subscribe(app, { path: 'until-cancelled', input: {}, timeout: 800, pollInterval: 50, onEnqueue }));
assert.match(late.message, /timed out/);

// queue
let status;
do status = await fal.queue.status(app, { requestId: lateId, logs: true }); while (status.status !== 'COMPLETED');
assert.equal((await refusal(fal.queue.result(app, { requestId: lateId }))).status, 499);
const { request_id: requestId, ...submitted } = await fal.queue.submit(app, { path: 'until-cancelled', input: {}, headers: { 'X-Mine': '1' } });
assert.equal(submitted.status, 'IN_QUEUE');
const stream = await fal.queue.streamStatus(app, { requestId, logs: true });
const told = [];
stream.on('data', ({ status }) => told.push(status));
while (!told.includes('IN_PROGRESS')) await new Promise((resolve) => setTimeout(resolve, 20));
await fal.queue.cancel(app, { requestId });
assert.equal((await stream.done()).status, 'COMPLETED');
assert.equal((await fal.queue.subscribeToStatus(app, { requestId, pollInterval: 50 })).status, 'COMPLETED');
assert.equal((await refusal(fal.queue.result(app, { requestId }))).body.detail, 'cancelled, as asked');
assert.equal((await refusal(fal.queue.cancel(app, { requestId }))).status, 400);

// stream
const events = await fal.stream(app, { input: {} });
const steps = [];
for await (const { step } of events) steps.push(step);
assert.deepEqual(steps, ['one', 'two']);
assert.equal(events.requestId.length, 36);
const broken = await fal.stream(app + '/missing', { input: {} });
assert.equal((await refusal(broken.done())).status, 404);
console.log('fine');
process.exit();
`;

describe('the official clients, call by call', () => {
  let platform: Platform;
  before(async () => {
    platform = await startPlatform();
    const deployed = await platform.fal(['deploy', 'test/system/apps/calls.py::Calls', '--auth', 'private']);
    assert.equal(deployed.code, 0, deployed.stdout + deployed.stderr);
  });
  after(() => platform?.stop());

  const isFine = ({ code, stdout, stderr }: CommandResult): void => {
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /fine\n$/);
  };
  const exec = (...command: string[]): Promise<CommandResult> =>
    platform.lanner(['exec', '--data-dir', platform.dataDir, '--', ...command]);

  it('fal_client and fal.apps, by variables', async () => {
    isFine(await platform.python(pythonCalls));
  });

  it('fal_client and fal.apps, under lanner exec', async () => {
    isFine(await exec(platform.pythonPath, '-c', pythonStorage + pythonCalls));
  });

  it('@fal-ai/client, under lanner exec', async () => {
    const script = join(platform.dataDir, 'calls.mjs');
    await writeFile(script, nodeCalls);
    isFine(await exec('node', script));
  });

  it('@lanner/client, with the same calls', async () => {
    await using client = await clientOf(platform);
    const app = 'acme/calls';
    type Shown = { path: string; body: string; id: string; headers: Record<string, string> };
    const shown = await client.run<Shown>(app, {
      ...{ input: { a: 1 }, hint: 'warm', startTimeout: 30, headers: { 'x-mine': 'yes' } },
    });
    assert.deepEqual([shown.data.path, shown.data.body, shown.data.id], ['/', '{"a":1}', shown.requestId]);
    assert.equal(shown.data.headers['x-mine'], 'yes');
    for (const [id, path] of [[`${app}/deeper/grüße`], [app, '/deeper/grüße'], [`${app}/deeper`, 'grüße']]) {
      assert.equal((await client.run<Shown>(id!, { path, input: {} })).data.path, '/deeper/grüße', id);
    }
    assert.equal((await client.run(app, { path: 'bare', input: {} })).data, 'only a text');
    assert.ok((await client.run<{ version: string }>(app, { path: 'health', method: 'GET' })).data.version);
    const input = { note: 'unwanted' };
    await assert.rejects(client.run(app, { path: 'typed', input }), /not this note/);
    await assert.rejects(client.run('acme/nothing', { input: {} }), /not found/);

    const seen: string[] = [];
    const { data, requestId } = await client.subscribe(app, {
      ...{ path: 'typed', input: { seconds: 0.4, note: 'ts' }, logs: true, priority: 'low', pollIntervalMs: 50 },
      onStatus: ({ status }) => seen.push(status),
    });
    assert.deepEqual(data, { note: 'ts' });
    assert.ok(seen.includes('IN_PROGRESS') && seen.at(-1) === 'COMPLETED', String(seen));
    const ended = await client.status(app, requestId, { logs: true });
    assert.ok(ended.status === 'COMPLETED' && ended.logs?.some(({ message }) => message === 'slept 0.4'));
    assert.deepEqual((await client.result(app, requestId)).data, data);
    await assert.rejects(client.subscribe(app, { path: 'until-cancelled', input: {}, timeoutMs: 1_500 }));
    const running = await client.submit(`${app}/until-cancelled`, { input: {} });
    while ((await running.status()).status !== 'IN_PROGRESS');
    await client.cancel(app, running.requestId);
    while ((await running.status()).status !== 'COMPLETED');
    await assert.rejects(running.result(), /cancelled, as asked/);
    await assert.rejects(client.cancel(app, running.requestId));

    const steps: string[] = [];
    for await (const { step } of client.stream<{ step: string }>(app, { input: {} })) steps.push(step);
    assert.deepEqual(steps, ['one', 'two']);
  });
});
