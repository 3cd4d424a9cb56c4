import type { Dispatcher, Slot, SlotReclaimer, Target, Targets } from '../../scheduler/dispatcher.ts';
import { localRunnerId, type AttemptExecutor } from '../../queue/attempt-executor.ts';
import type { Workflows } from '../../workflows/workflows.ts';

const namespace = 'workflows/';
const targetPrefix = 'workflow:';
const requestTimeoutSeconds = 3600;

/** Apps, and beside them workflows under `workflows/owner`. A public workflow is for every account, a private one for its own. */
export function withWorkflowTargets(targets: Targets, workflows: Pick<Workflows, 'find'>): Targets {
  return {
    find(owner, name) {
      if (!owner.startsWith(namespace)) return targets.find(owner, name);
      const found = workflows.find(owner.slice(namespace.length), 'workflow', name);
      if (found === null) return null;
      return {
        targetId: `${targetPrefix}${found.workflowId}`,
        accountId: found.accountId,
        ownerNickname: `${namespace}${found.ownerNickname}`,
        name: found.name,
        authMode: found.isPublic ? 'shared' : 'private',
        requestTimeoutSeconds,
        requestStartTimeoutSeconds: null,
        workflowVersion: found.version,
      } satisfies Target;
    },
  };
}

/** The workflow that a target id stands for; null for other targets. */
export function workflowIdOf(targetId: string): string | null {
  return targetId.startsWith(targetPrefix) ? targetId.slice(targetPrefix.length) : null;
}

/**
 * Slots on runners, and beside them places for workflows, which the server executes itself.
 * @param most workflows that run at a time; the others wait in the queue.
 */
export function withWorkflowSlots(
  dispatcher: Dispatcher & SlotReclaimer,
  executor: AttemptExecutor,
  most = 256,
): Dispatcher & SlotReclaimer {
  const waiting: (() => void)[] = [];
  let taken = 0;
  const give = (): Slot => {
    taken += 1;
    let isReleased = false;
    return {
      runnerId: localRunnerId,
      host: '',
      port: 0,
      executor,
      release() {
        if (isReleased) return;
        isReleased = true;
        taken -= 1;
        waiting.shift()?.();
      },
    };
  };
  return {
    acquire(request) {
      if (workflowIdOf(request.targetId) === null) return dispatcher.acquire(request);
      if (taken < most) return Promise.resolve(give());
      return new Promise((resolve, reject) => {
        const { signal } = request;
        const onFree = (): void => {
          signal.removeEventListener('abort', onAbort);
          resolve(give());
        };
        const onAbort = (): void => {
          waiting.splice(waiting.indexOf(onFree), 1);
          reject(signal.reason as Error);
        };
        if (signal.aborted) return reject(signal.reason as Error);
        signal.addEventListener('abort', onAbort, { once: true });
        waiting.push(onFree);
      });
    },
    reclaim: (runnerId, caller) => (runnerId === localRunnerId ? null : dispatcher.reclaim(runnerId, caller)),
  };
}
