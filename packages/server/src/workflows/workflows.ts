import { randomUUID } from 'node:crypto';
import { LannerError, type Clock, type Json } from '@lanner/protocol';
import type {
  Workflow,
  WorkflowDraft,
  WorkflowKind,
  WorkflowPatch,
  WorkflowStore,
  WorkflowSummary,
} from './workflow-store.ts';

/** Published workflows. Summaries are in memory, contents are read when they are needed. */
export interface Workflows {
  /** @throws LannerError `already_exists`, `too_many_requests` (the account has too many). */
  create(accountId: string, kind: WorkflowKind, draft: WorkflowDraft): Promise<Workflow>;
  /** The account's own, newest first. */
  list(accountId: string, kind: WorkflowKind): WorkflowSummary[];
  /** By `owner/name`; from memory, no I/O. */
  find(ownerNickname: string, kind: WorkflowKind, name: string): WorkflowSummary | null;
  /** Contents of a version, also of one that was replaced lately; null when it is gone. */
  readContents(workflowId: string, version: number): Promise<Json | null>;
  /** @throws LannerError `already_exists` when the new name is taken, `not_found`. */
  update(workflow: WorkflowSummary, patch: WorkflowPatch): Promise<Workflow>;
  /** @throws LannerError `not_found`. */
  remove(workflow: WorkflowSummary): Promise<void>;
}

const mostPerAccount = 10_000;
/** As long as results: what began with a version is over by then. */
const versionsKeptMs = 30 * 24 * 60 * 60 * 1000;
const sweepStep = 100;

/** Opens the workflows of a store. */
export async function createWorkflows(options: { store: WorkflowStore; clock: Clock }): Promise<Workflows> {
  const { store, clock } = options;
  const byName = new Map<string, WorkflowSummary>();
  const put = (summary: WorkflowSummary): void => void byName.set(keyOf(summary), summary);
  for (const summary of await store.listAll()) put(summary);

  const withContents = async (summary: WorkflowSummary): Promise<Workflow> => ({
    ...summary,
    contents: await store.readContents(summary.workflowId, summary.version),
  });

  return {
    async create(accountId, kind, draft) {
      const workflow = { ...draft, workflowId: randomUUID(), accountId, kind, createdAtMs: clock.nowMs() };
      const summary = await store.insert(workflow, mostPerAccount);
      if (summary === 'taken') throw taken(draft.name);
      if (summary === 'full') {
        throw new LannerError(
          'too_many_requests',
          `The account has ${mostPerAccount} workflows. Delete some that are not used.`,
        );
      }
      put(summary);
      return { ...summary, contents: draft.contents };
    },

    list: (accountId, kind) =>
      [...byName.values()]
        .filter((each) => each.accountId === accountId && each.kind === kind)
        .toSorted((a, b) => b.createdAtMs - a.createdAtMs || a.name.localeCompare(b.name)),

    find: (ownerNickname, kind, name) => byName.get(keyOf({ ownerNickname, kind, name })) ?? null,

    readContents: (workflowId, version) => store.readContents(workflowId, version),

    async update(workflow, patch) {
      const updated = await store.update(workflow.workflowId, patch, clock.nowMs());
      if (updated === null) throw gone(workflow.name);
      if (updated === 'taken') throw taken(patch.name ?? workflow.name);
      byName.delete(keyOf(workflow));
      put(updated);
      if (patch.contents !== undefined) await store.sweepVersions(clock.nowMs() - versionsKeptMs, sweepStep);
      return withContents(updated);
    },

    async remove(workflow) {
      const removed = await store.remove(workflow.workflowId, clock.nowMs());
      byName.delete(keyOf(workflow));
      if (!removed) throw gone(workflow.name);
    },
  };
}

const keyOf = (workflow: Pick<WorkflowSummary, 'ownerNickname' | 'kind' | 'name'>): string =>
  `${workflow.kind}/${workflow.ownerNickname.toLowerCase()}/${workflow.name}`;

function taken(name: string): LannerError {
  return new LannerError(
    'already_exists',
    `There is a workflow "${name}" already. Update it with PATCH, delete it, or choose another name.`,
  );
}

function gone(name: string): LannerError {
  return new LannerError('not_found', `The workflow "${name}" was not found.`);
}
