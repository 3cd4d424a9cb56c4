import type { SupervisorStatus } from '@lanner/protocol';

/**
 * What this machine cannot keep runners from, one line each, for the start-up. Empty where everything is isolated.
 */
export function isolationGaps(isolation: SupervisorStatus['isolation']): string[] {
  const gaps: string[] = [];
  if (isolation.level === 'process-group') {
    gaps.push('runners are plain processes of this user: nothing on this machine isolates them');
  }
  if (isolation.addresses !== 'kernel') {
    gaps.push(
      'only what apps bind through Python gets an address of its own: a server in another language on 0.0.0.0 is open to the network',
    );
  }
  return gaps;
}
