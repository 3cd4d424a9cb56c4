import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { eventually, startPlatform, type Platform } from './platform.ts';
import { addAccount } from './second-account.ts';

const publish = `
import fal_client
from pydantic import BaseModel
from fal.workflows import create_workflow
class In(BaseModel):
    x: int
    seconds: float = 0
class Out(BaseModel):
    result: int
def publish(name, is_public=False):
    workflow = create_workflow(name, In, Out)
    total = workflow.run("acme/calculator/add", {"a": workflow.input.x, "b": 1, "seconds": workflow.input.seconds})
    twice = workflow.run("acme/calculator/multiply", {"a": total.value, "b": 2})
    last = workflow.run("acme/calculator/add", {"a": twice.value, "b": workflow.input.x})
    workflow.set_output({"result": last.value, "all": [total.value, twice.value]})
    return workflow.publish("A test", is_public=is_public)
`;

describe('workflows, through the official clients', () => {
  let platform: Platform;
  before(async () => {
    platform = await startPlatform();
    const deployed = await platform.fal(['deploy', 'test/system/apps/calculator.py::Calculator']);
    assert.equal(deployed.code, 0, deployed.stdout + deployed.stderr);
  });
  after(() => platform.stop());

  const python = async (script: string): Promise<string> => {
    const { code, stdout, stderr } = await platform.python(publish + script, { timeoutMs: 60_000 });
    assert.equal(code, 0, stdout + stderr);
    return stdout;
  };
  const calls = (): string[] => {
    const folder = join(platform.dataDir, 'data');
    return readFileSync(join(folder, readdirSync(folder)[0]!, 'calculator.txt'), 'utf8')
      .trim()
      .split('\n');
  };

  it('are published, run, subscribed to and streamed', async () => {
    const out = await python(`
assert publish("chain") == "acme/chain"
id = "workflows/acme/chain"
expected = {"result": 14, "all": [5, 10]}
assert fal_client.run(id, arguments={"x": 4}) == expected
updates = []
assert fal_client.subscribe(id, arguments={"x": 4}, on_queue_update=updates.append, with_logs=True) == expected
assert isinstance(updates[-1], fal_client.Completed)
handle = fal_client.submit(id, arguments={"x": 4})
assert handle.get() == expected
assert fal_client.result(id, handle.request_id) == expected
events = list(fal_client.stream(id, arguments={"x": 4}))
print([event["type"] for event in events])
assert events[-1] == {"type": "output", "output": expected}
assert events[0]["app_id"] == "acme/calculator/add"
assert fal_client.result("acme/calculator", events[0]["request_id"]) == {"value": 5}
`);
    assert.match(out, /\['submit', 'completion', 'submit', 'completion', 'submit', 'completion', 'output'\]/);
  });

  it('tell which node failed, with the status of its app', async () => {
    await python(`
publish("wrong")
try:
    fal_client.run("workflows/acme/wrong", arguments={"x": "no number"})
    raise SystemExit("no error")
except fal_client.FalClientHTTPError as error:
    assert error.status_code == 422, error
    assert "acme_calculator_add_1" in str(error), str(error)
try:
    fal_client.run("workflows/acme/wrong", arguments={})
    raise SystemExit("no error")
except fal_client.FalClientHTTPError as error:
    assert error.status_code == 422 and "Field required" in error.response.text, error.response.text
events = list(fal_client.stream("workflows/acme/wrong", arguments={"x": "no number"}))
assert [event["type"] for event in events] == ["submit", "error"], events
assert events[-1]["error"]["status"] == 422
`);
  });

  it('are cancelled with the calls they made', async () => {
    await python(`
publish("slow")
handle = fal_client.submit("workflows/acme/slow", arguments={"x": 1, "seconds": 30})
import time
while not isinstance(handle.status(), fal_client.InProgress): time.sleep(0.05)
handle.cancel()
while not isinstance(handle.status(), fal_client.Completed): time.sleep(0.05)
try:
    handle.get()
    raise SystemExit("no error")
except fal_client.FalClientHTTPError as error:
    assert error.status_code == 499, error
`);
  });

  it('go on after kill -9 of the server, and call no node twice', async () => {
    const before = calls().length;
    const out = await python(`
publish("durable")
handle = fal_client.submit("workflows/acme/durable", arguments={"x": 100, "seconds": 2})
print("id", handle.request_id)
`);
    const requestId = /^id (\S+)$/m.exec(out)![1]!;
    await eventually(() => assert.equal(calls().length, before + 1), 10_000);
    await platform.killServer();
    await platform.startServer();
    assert.match(
      await python(`print(fal_client.SyncClient().get_handle("workflows/acme/durable", "${requestId}").get())`),
      /\{'result': 302, 'all': \[101, 202\]\}/,
    );
    assert.deepEqual(calls().slice(before), ['add 100 1', 'multiply 101 2', 'add 202 100']);
  });

  it('are nobody else’s business unless they are public, and lend no access to private apps', async () => {
    await python('publish("hidden"); publish("shown", is_public=True)');
    await platform.killServer();
    const key = await addAccount(platform.dataDir, 'bob');
    await platform.startServer();
    const call = async (name: string, authorization: string | null): Promise<{ status: number; text: string }> => {
      const response = await fetch(`${platform.clearOrigin}/run/workflows/acme/${name}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(authorization === null ? {} : { authorization }) },
        body: '{"x": 1}',
      });
      return { status: response.status, text: await response.text() };
    };
    assert.equal((await call('hidden', `Key ${platform.variables['FAL_KEY']}`)).status, 200);
    assert.equal((await call('hidden', null)).status, 401);
    assert.equal((await call('hidden', `Key ${key}`)).status, 404);
    assert.equal((await call('shown', null)).status, 401);
    const shown = await call('shown', `Key ${key}`);
    assert.equal(shown.status, 404);
    assert.match(shown.text, /private to another account than the caller's/);
  });
});
