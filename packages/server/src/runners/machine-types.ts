/** What a runner of a machine type may use. */
export interface MachineShape {
  memoryMiB: number;
  cpus: number;
}

const shape = (memoryMiB: number, cpus: number): MachineShape => ({ memoryMiB, cpus });

/** The machine types that are public (platform-semantics 11). Names are open-ended: installations add their own. */
export const knownMachineTypes: Readonly<Record<string, MachineShape>> = {
  XS: shape(512, 0.5),
  S: shape(1024, 1),
  M: shape(2048, 2),
  L: shape(15 * 1024, 4),
  XL: shape(30 * 1024, 8),
  GPU: shape(60 * 1024, 12),
  'GPU-A6000': shape(60 * 1024, 12),
  'GPU-A100': shape(60 * 1024, 12),
  'GPU-L40': shape(100 * 1024, 6),
  'GPU-H100': shape(112 * 1024, 12),
  'GPU-RTXPRO6000': shape(100 * 1024, 6),
  'GPU-H200': shape(112 * 1024, 12),
  'GPU-B200': shape(210 * 1024, 19),
};

/**
 * The limits of a runner. A GPU type counts once per GPU.
 * @param machineType an unknown name gets the shape of `XS`: names are checked when an app is registered, not here.
 */
export function toRunnerLimits(
  machineType: string,
  gpuCount: number | null,
  machineTypes: Readonly<Record<string, MachineShape>> = knownMachineTypes,
): MachineShape {
  const found = (Object.hasOwn(machineTypes, machineType) ? machineTypes[machineType] : undefined) ?? shape(512, 0.5);
  const factor = machineType.startsWith('GPU') ? Math.max(1, gpuCount ?? 1) : 1;
  return { memoryMiB: found.memoryMiB * factor, cpus: found.cpus * factor };
}
