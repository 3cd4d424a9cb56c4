/** Shape of a machine type. */
export interface MachineType {
  name: string;
  memoryMiB: number;
  cpus: number;
  /** null: no GPU. Memory of one GPU. */
  gpu: { memoryGiB: number } | null;
}

const gib = 1024;
const cpuType = (name: string, memoryMiB: number, cpus: number): MachineType => ({ name, memoryMiB, cpus, gpu: null });
const gpuType = (name: string, gpuMemoryGiB: number, memoryGiB: number, cpus: number): MachineType => ({
  name,
  memoryMiB: memoryGiB * gib,
  cpus,
  gpu: { memoryGiB: gpuMemoryGiB },
});

/**
 * The published machine types of the hosted platform (platform-semantics 11). The last three are named by its SDK and
 * examples without a shape: theirs is our choice.
 */
export const publishedMachineTypes: readonly MachineType[] = [
  cpuType('XS', 512, 0.5),
  cpuType('S', gib, 1),
  cpuType('M', 2 * gib, 2),
  cpuType('L', 15 * gib, 4),
  cpuType('XL', 30 * gib, 8),
  gpuType('GPU-A100', 40, 60, 12),
  gpuType('GPU-L40', 48, 100, 6),
  gpuType('GPU-H100', 80, 112, 12),
  gpuType('GPU-RTXPRO6000', 96, 100, 6),
  gpuType('GPU-H200', 141, 112, 12),
  gpuType('GPU-B200', 192, 210, 19),
  gpuType('GPU-A6000', 48, 60, 6),
  gpuType('GPU-RTX5090', 32, 60, 6),
  gpuType('GPU', 24, 60, 12),
];

/** The machine types of one installation: the published ones and its own. */
export interface MachineTypes {
  get(name: string): MachineType | undefined;
  names(): string[];
}

/** @param extra types of this installation; one with a published name replaces it. */
export function createMachineTypes(extra: readonly MachineType[] = []): MachineTypes {
  const byName = new Map([...publishedMachineTypes, ...extra].map((type) => [type.name, type]));
  return {
    get: (name) => byName.get(name),
    names: () => [...byName.keys()],
  };
}
