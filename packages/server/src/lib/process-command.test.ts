import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { processCommand } from './process-command.ts';

test('a process is known by its command line until it has ended', async () => {
  const child = spawn('sleep', ['600']);
  await once(child, 'spawn');
  assert.match(processCommand(child.pid!)!, /sleep 600/);
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.equal(processCommand(child.pid!), null);
});
