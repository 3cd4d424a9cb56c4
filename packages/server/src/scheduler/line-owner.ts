import type { LogLine } from './fleet.ts';
import type { Lease, Runner } from './runner.ts';

/** A line may be read a little later than the answer it was printed before. */
const slackMs = 100;

/**
 * A line of a runner with the label of its request (`fal_request_id`). Lines of apps that tell it themselves have it already;
 * those of plain servers get it by their time, but only while the runner had exactly one request.
 */
export function labelLine(runner: Pick<Runner, 'leases' | 'endedLeases'>, line: LogLine): LogLine {
  if (line.source !== 'user' || line.labels?.['fal_request_id'] !== undefined) return line;
  const requestId = findOwner(runner, line.atMs)?.caller?.requestId;
  return requestId ? { ...line, labels: { ...line.labels, fal_request_id: requestId } } : line;
}

function findOwner({ leases, endedLeases }: Pick<Runner, 'leases' | 'endedLeases'>, atMs: number): Lease | null {
  let owner: Lease | null = null;
  for (const lease of leases) {
    if (lease.leasedAtMs > atMs) continue;
    if (owner !== null) return null;
    owner = lease;
  }
  let justEnded: Lease | null = null;
  for (let index = endedLeases.length - 1; index >= 0; index -= 1) {
    const lease = endedLeases[index]!;
    const endedAtMs = lease.endedAtMs!;
    if (endedAtMs < atMs - slackMs) break;
    if (lease.leasedAtMs > atMs) continue;
    if (endedAtMs > atMs) {
      if (owner !== null) return null;
      owner = lease;
    } else justEnded ??= lease;
  }
  return owner ?? justEnded;
}
