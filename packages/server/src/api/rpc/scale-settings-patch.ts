import type { SettingsPatch } from '../../apps/apps.ts';

/** The settings fields as MachineRequirements and UpdateApplicationRequest carry them; seconds, unset = not given. */
export interface SentSettings {
  keepAlive?: number | undefined;
  minConcurrency?: number | undefined;
  maxConcurrency?: number | undefined;
  concurrencyBuffer?: number | undefined;
  concurrencyBufferPerc?: number | undefined;
  scalingDelaySeconds?: number | undefined;
  requestTimeout?: number | undefined;
  /** 0 clears the default. */
  requestStartTimeout?: number | undefined;
  startupTimeout?: number | undefined;
  maxMultiplexing?: number | undefined;
  /** Empty = not given: the protocol cannot express clearing a list. */
  validRegions?: string[];
  machineTypes?: string[];
  /** The older single form, used only when `machineTypes` is empty. */
  machineType?: string | undefined;
}

/**
 * The settings a request gives, and only those: an unset number and an empty list are absent in the answer. Ranges are
 * checked by the apps domain, where the other settings are known.
 */
export function toSettingsPatch(sent: SentSettings): SettingsPatch {
  const patch: SettingsPatch = {};
  const { validRegions = [], machineTypes = [] } = sent;
  if (sent.keepAlive !== undefined) patch.keepAliveSeconds = sent.keepAlive;
  if (sent.minConcurrency !== undefined) patch.minConcurrency = sent.minConcurrency;
  if (sent.maxConcurrency !== undefined) patch.maxConcurrency = sent.maxConcurrency;
  if (sent.concurrencyBuffer !== undefined) patch.concurrencyBuffer = sent.concurrencyBuffer;
  if (sent.concurrencyBufferPerc !== undefined) patch.concurrencyBufferPerc = sent.concurrencyBufferPerc;
  if (sent.scalingDelaySeconds !== undefined) patch.scalingDelaySeconds = sent.scalingDelaySeconds;
  if (sent.requestTimeout !== undefined) patch.requestTimeoutSeconds = sent.requestTimeout;
  if (sent.requestStartTimeout !== undefined) {
    patch.requestStartTimeoutSeconds = sent.requestStartTimeout === 0 ? null : sent.requestStartTimeout;
  }
  if (sent.startupTimeout !== undefined) patch.startupTimeoutSeconds = sent.startupTimeout;
  if (sent.maxMultiplexing !== undefined) patch.maxMultiplexing = sent.maxMultiplexing;
  if (validRegions.length > 0) patch.validRegions = [...validRegions];
  if (machineTypes.length > 0) patch.machineTypes = [...machineTypes];
  else if (sent.machineType) patch.machineTypes = [sent.machineType];
  return patch;
}
