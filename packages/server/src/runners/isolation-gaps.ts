import type { SupervisorStatus } from '@lanner/protocol';

/** Something this machine cannot keep runners from. */
export interface IsolationGap {
  message: string;
  /** What was tried, and how it failed. */
  reason: string;
}

/** What the start-up has to say about this machine, one line each. Empty where everything is isolated. */
export function isolationGaps(isolation: SupervisorStatus['isolation']): IsolationGap[] {
  const gaps: IsolationGap[] = [];
  if (isolation.level === 'process-group') {
    gaps.push({
      message: 'runners are plain processes of this user: nothing on this machine isolates them',
      reason: isolation.reason,
    });
  }
  if (isolation.addresses !== 'kernel') {
    gaps.push({
      message:
        'only what apps bind through Python gets an address of its own: a server in another language on 0.0.0.0 is open to the network',
      reason: isolation.addressesReason ?? 'the supervisor is older than this server',
    });
  }
  return gaps;
}
