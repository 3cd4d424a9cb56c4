/**
 * GPUs in use by their short names, most first.
 *
 * @example
 * ```ts
 * const counts: GpuCounts = await client.runners.gpus();
 * console.log(counts.gpus['H100'] ?? 0, counts.total);
 * ```
 */
export interface GpuCounts {
  gpus: Record<string, number>;
  total: number;
}

const cpuMachines = new Set(['XS', 'S', 'M', 'L', 'XL']);

/** Counts by machine type as counts by GPU: CPU machines and zeros left out, names shortened and summed. */
export function toGpuCounts(byType: Readonly<Record<string, number>>): GpuCounts {
  const sums = new Map<string, number>();
  for (const [type, count] of Object.entries(byType)) {
    if (!(count > 0) || cpuMachines.has(type)) continue;
    const name = shortGpuName(type);
    sums.set(name, (sums.get(name) ?? 0) + count);
  }
  const sorted = [...sums].sort((a, b) => b[1] - a[1]);
  return { gpus: Object.fromEntries(sorted), total: sorted.reduce((sum, [, count]) => sum + count, 0) };
}

/** The names the official tools show: H100, L40, 5090, `RTX A6000`, `H100 MIG`, A6000, MI300X … */
export function shortGpuName(type: string): string {
  const mig = /\b(\w+)[\s-]MIG\b/i.exec(type)?.[1];
  if (mig) return `${mig} MIG`;
  const dataCenter = /\b(A100|H100|H200|B200)\b/i.exec(type)?.[1];
  if (dataCenter) return dataCenter.toUpperCase();
  if (/\bL40S?\b/i.test(type)) return 'L40';
  if (/\bRTX[\s-]?5090\b/i.test(type)) return '5090';
  const rtx = /\bRTX[\s-]?(\w+)/i.exec(type)?.[1];
  if (rtx) return `RTX ${rtx}`;
  const token = /\b([A-Z]\d{2,4}[A-Z]?|MI\d{2,3}[A-Z]?)\b/i.exec(type)?.[1];
  if (token) return token.toUpperCase();
  return type.length > 8 ? `${type.slice(0, 5)}...` : type;
}
