import type { RunnerPhase } from '@lanner/protocol';

/**
 * The phases a runner may go to from each phase:
 *
 *     starting ──▶ setup ──▶ ready
 *         │          │         │
 *         ├──────────┴─────────┴──▶ stopping ──▶ exited
 *         └──────────┴─────────┴───────────────────▲
 */
const nextPhases: Readonly<Record<RunnerPhase, readonly RunnerPhase[]>> = {
  starting: ['setup', 'stopping', 'exited'],
  setup: ['ready', 'stopping', 'exited'],
  ready: ['stopping', 'exited'],
  stopping: ['exited'],
  exited: [],
};

/** Whether a runner may go from one phase to the other; what comes late (a readiness while stopping) may not. */
export function canMove(from: RunnerPhase, to: RunnerPhase): boolean {
  return nextPhases[from].includes(to);
}
