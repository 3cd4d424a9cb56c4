import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';

const run = promisify(execFile);
const module = JSON.stringify(new URL('./batched-destination.ts', import.meta.url).href);

/** What a process that runs `script` left on standard error. */
async function writtenBy(script: string): Promise<string> {
  const source = `const { createBatchedDestination } = await import(${module}); const log = createBatchedDestination(2); ${script}`;
  const { stderr } = await run(process.execPath, ['--input-type=module', '-e', source]).catch(
    (error: unknown) => error as { stderr: string },
  );
  return stderr;
}

describe('the batched destination', () => {
  it('writes every line of a process that ends by itself or on purpose', async () => {
    assert.equal(await writtenBy("log.write('one\\n'); log.write('two\\n');"), 'one\ntwo\n');
    assert.equal(await writtenBy("log.write('one\\n'); process.exit(3);"), 'one\n');
  });

  it('writes on demand', async () => {
    assert.equal(
      await writtenBy("log.write('one\\n'); log.flush(() => process.kill(process.pid, 'SIGKILL'));"),
      'one\n',
    );
  });

  it('writes by itself soon after a line', async () => {
    const waits = "log.write('one\\n'); setTimeout(() => process.kill(process.pid, 'SIGKILL'), 1000);";
    assert.equal(await writtenBy(waits), 'one\n');
  });
});
