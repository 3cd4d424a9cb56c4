import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startPlatform, type Platform } from './platform.ts';

describe('fal run of a function, with the official CLI', () => {
  let platform: Platform;
  before(async () => {
    platform = await startPlatform();
  });
  after(() => platform.stop());
  const run = (name: string) => platform.fal(['run', `test/system/apps/functions.py::${name}`]);

  it('returns the value and shows prints', async () => {
    const { code, stdout, stderr } = await run('versions');
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /hello from the function/);
  });

  it('shows the traceback of an exception and fails', async () => {
    const { code, stdout, stderr } = await run('fails');
    assert.equal(code, 1);
    assert.match(stdout + stderr, /ValueError/);
    assert.match(stdout + stderr, /bad thing 42/);
    assert.match(stdout + stderr, /deeper/);
  });

  it('streams prints while the function is still running', async () => {
    const seenAtMs: number[] = [];
    const { code, stdout, stderr } = await platform.fal(['run', 'test/system/apps/functions.py::prints_slowly'], {
      onStdout: (text) => {
        for (const _ of text.matchAll(/tick \d/g)) seenAtMs.push(performance.now());
      },
    });
    assert.equal(code, 0, stdout + stderr);
    assert.equal(seenAtMs.length, 3);
    assert.ok(seenAtMs[2]! - seenAtMs[0]! > 900, 'the lines came one by one, not at the end');
  });

  it('says that a function crashed which ended its process', async () => {
    const { code, stdout, stderr } = await run('hard_exit');
    assert.equal(code, 1);
    assert.match(stdout + stderr, /exit|crash|ended/i);
    const next = await run('versions');
    assert.equal(next.code, 0, 'the next run works');
  });

  it('gives a function the secrets it names', async () => {
    assert.equal((await platform.fal(['secrets', 'set', 'TEST_SECRET=s3cret-value-123'])).code, 0);
    const script = `
import sys
sys.path.insert(0, "test/system/apps")
import functions
print("value:", functions.reads_secret())
`;
    const { code, stdout, stderr } = await platform.python(script);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /value: s3cret-value-123/);
  });

  it('moves values of 64 MiB both ways, runs setup functions, and re-raises the original exception', async () => {
    const script = `
import sys
sys.path.insert(0, "test/system/apps")
import functions
data = b"x" * (64 * 1024 * 1024)
assert functions.big(data) == data
print("big ok")
print("setup:", functions.with_setup())
try:
    functions.fails()
except ValueError as error:
    print("raised:", error)
result = functions.versions()
print("version:", result["six"], "uid:", result["uid"])
import socket
assert result["host"] != socket.gethostname()
`;
    const { code, stdout, stderr } = await platform.python(script, { timeoutMs: 240_000 });
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /big ok/);
    assert.match(stdout, /setup: \{'loaded': True\}/);
    assert.match(stdout, /raised: bad thing 42/);
    assert.match(stdout, /version: 1\.17\.0/);
    assert.doesNotMatch(stdout, /uid: 0$/m, 'user code never runs as root');
  });
});
