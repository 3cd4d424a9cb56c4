import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startApiServer, type ApiServer } from '../testing/api-server.ts';
import { assertStatus, collect } from '../testing/assert-status.ts';
import { aRunnerView } from '../testing/scripted-fleet.ts';

describe('ShellRunner', () => {
  let server: ApiServer;
  before(async () => {
    server = await startApiServer();
    server.fleet.runners = [aRunnerView({ runnerId: 'mine', accountId: server.account.accountId })];
  });
  after(() => server.stop());

  async function* messages(...all: object[]) {
    yield* all;
  }

  it('passes input, output and the exit code', async () => {
    const said = await collect(
      server
        .client()
        .shellRunner(
          messages(
            { runnerId: 'mine', command: ['cat', '-n'], tty: false },
            { data: Buffer.from('ab') },
            { data: Buffer.from('c'), close: true },
          ),
        ),
    );
    assert.deepEqual(
      said.map(({ data, stream, exitCode }) => [Buffer.from(data).toString(), stream, exitCode]),
      [
        ['ABC', undefined, undefined],
        ['warned', 2, undefined],
        ['', undefined, 7],
      ],
    );
    const { order } = server.driver.sessions.at(-1)!;
    assert.deepEqual(order, { command: ['cat', '-n'], tty: false });
    assert.deepEqual(server.fleet.calls, ['hold mine', 'let go mine']);
  });

  it('takes a client that says nothing of a terminal for one that has one', async () => {
    await collect(server.client().shellRunner(messages({ runnerId: 'mine', ttySize: { height: 50, width: 0 } })));
    assert.deepEqual(server.driver.sessions.at(-1)!.order, { command: [], tty: true, size: { rows: 50, columns: 1 } });
  });

  it('refuses runners that are not the caller’s, and a first message without one', async () => {
    const count = server.driver.sessions.length;
    await assertStatus(collect(server.client().shellRunner(messages({ runnerId: 'other' }))), 'NotFound', /not found/);
    await assertStatus(collect(server.client().shellRunner(messages({}))), 'InvalidArgument', /name the runner/);
    await assertStatus(collect(server.client().shellRunner(messages())), 'InvalidArgument', /name the runner/);
    assert.equal(server.driver.sessions.length, count);
  });

  it('wants the permission for it', async () => {
    const key = await server.newKey({ permissions: ['serverless:runners:read'] });
    const call = server.client(key).shellRunner(messages({ runnerId: 'mine' }));
    await assertStatus(collect(call), 'PermissionDenied', /Insufficient permissions/);
  });
});
