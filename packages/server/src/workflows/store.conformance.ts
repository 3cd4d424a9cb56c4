import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { AccountStore } from '../auth/account-store.ts';
import type { Workflow, WorkflowStore } from './workflow-store.ts';

export interface WorkflowStores {
  accounts: AccountStore;
  workflows: WorkflowStore;
  close(): Promise<void>;
}

/** What every engine's store of workflows has to do. Call it in the engine's test file. */
export function describeWorkflowStore(engine: string, open: () => Promise<WorkflowStores>): void {
  describe(`workflow store on ${engine}`, () => {
    let stores: WorkflowStores;
    let ada: string;
    let bob: string;
    beforeEach(async () => {
      stores = await open();
      [ada, bob] = [randomUUID(), randomUUID()];
      for (const [accountId, nickname] of [[ada, 'ada'] as const, [bob, 'bob'] as const]) {
        await stores.accounts.insert({ accountId, nickname, fullName: nickname, isPersonal: true, createdAtMs: 1 });
      }
    });
    afterEach(() => stores.close());

    const add = async (given: Partial<Workflow> = {}) => {
      const workflow = {
        ...{ workflowId: randomUUID(), accountId: ada, kind: 'workflow' as const, name: 'flow', title: 'Flow' },
        ...{ isPublic: false, createdAtMs: 5, contents: { a: 1 } },
        ...given,
      };
      return stores.workflows.insert(workflow, 3);
    };
    const added = async (given: Partial<Workflow> = {}) => {
      const summary = await add(given);
      assert.ok(typeof summary === 'object');
      return summary;
    };

    it('keeps what was published, with the nickname of its owner', async () => {
      const { workflowId } = await added({ isPublic: true });
      const [only] = await stores.workflows.listAll();
      assert.deepEqual(only, {
        ...{ workflowId, accountId: ada, ownerNickname: 'ada', kind: 'workflow', name: 'flow', title: 'Flow' },
        ...{ isPublic: true, version: 1, createdAtMs: 5 },
      });
      assert.deepEqual(await stores.workflows.readContents(workflowId, 1), { a: 1 });
      assert.equal(await stores.workflows.readContents(workflowId, 2), null);
    });

    it('has a name once per account and kind', async () => {
      await added();
      assert.equal(await add(), 'taken');
      await added({ kind: 'comfy' });
      await added({ accountId: bob });
    });

    it('holds an account to its bound', async () => {
      for (const name of ['a', 'b', 'c']) await added({ name });
      assert.equal(await add({ name: 'd' }), 'full');
      await added({ accountId: bob });
    });

    it('changes what is given and nothing else; new contents are a new version', async () => {
      const { workflowId } = await added();
      assert.partialDeepStrictEqual(await stores.workflows.update(workflowId, { title: 'New' }, 9), {
        ...{ title: 'New', name: 'flow', version: 1 },
      });
      assert.partialDeepStrictEqual(await stores.workflows.update(workflowId, { contents: { a: 2 } }, 9), {
        version: 2,
        title: 'New',
      });
      assert.deepEqual(await stores.workflows.readContents(workflowId, 1), { a: 1 });
      assert.deepEqual(await stores.workflows.readContents(workflowId, 2), { a: 2 });
      assert.equal(await stores.workflows.update(randomUUID(), { title: 'x' }, 9), null);
    });

    it('does not take a name that is in use', async () => {
      await added({ name: 'other' });
      const { workflowId } = await added();
      assert.equal(await stores.workflows.update(workflowId, { name: 'other', contents: 1 }, 9), 'taken');
      assert.equal(await stores.workflows.readContents(workflowId, 2), null, 'and nothing was changed');
      assert.partialDeepStrictEqual(await stores.workflows.update(workflowId, { name: 'flow' }, 9), { name: 'flow' });
    });

    it('keeps replaced and deleted contents until they are swept', async () => {
      const { workflowId } = await added();
      await stores.workflows.update(workflowId, { contents: { a: 2 } }, 10);
      assert.equal(await stores.workflows.remove(workflowId, 20), true);
      assert.equal(await stores.workflows.remove(workflowId, 21), false);
      assert.deepEqual(await stores.workflows.listAll(), []);
      assert.deepEqual(await stores.workflows.readContents(workflowId, 2), { a: 2 });
      assert.equal(await stores.workflows.sweepVersions(20, 10), 1);
      assert.equal(await stores.workflows.readContents(workflowId, 1), null);
      assert.equal(await stores.workflows.sweepVersions(21, 10), 1);
      assert.equal(await stores.workflows.readContents(workflowId, 2), null);
    });
  });
}
