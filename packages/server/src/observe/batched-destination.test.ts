import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
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

  it('holds up nobody when its reader has stopped reading', async () => {
    const script = `const { createBatchedDestination } = await import(${module});
      process.stderr.fd; // its owner makes it non-blocking, as in a server
      const log = createBatchedDestination(2);
      for (let count = 0; count < 4000; count += 1) log.write('x'.repeat(1000) + '\\n');
      setTimeout(() => process.exit(4), 200);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), 20_000);
    const [code] = (await once(child, 'exit')) as [number | null];
    clearTimeout(timer);
    child.stderr.destroy();
    assert.equal(code, 4);
  });
});
