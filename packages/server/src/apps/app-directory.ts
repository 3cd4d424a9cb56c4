import type { ResolvedApp } from './apps.ts';

/** Every alias in memory, so that resolving an address costs no I/O. Holds what it is told; create-apps.ts keeps it true. */
export interface AppDirectory {
  /** The owner's case does not matter, as everywhere; the app's does. */
  resolve(ownerNickname: string, aliasName: string): ResolvedApp | null;
  all(): ResolvedApp[];
  /** Adds or replaces. */
  put(app: ResolvedApp): void;
  remove(aliasId: string): void;
}

export function createAppDirectory(): AppDirectory {
  const byAddress = new Map<string, ResolvedApp>();
  const addressById = new Map<string, string>();
  const toAddress = (ownerNickname: string, aliasName: string): string => `${ownerNickname.toLowerCase()}/${aliasName}`;
  return {
    resolve: (ownerNickname, aliasName) => byAddress.get(toAddress(ownerNickname, aliasName)) ?? null,
    all: () => [...byAddress.values()],
    put(app) {
      const address = toAddress(app.ownerNickname, app.alias.aliasName);
      byAddress.set(address, app);
      addressById.set(app.alias.aliasId, address);
    },
    remove(aliasId) {
      const address = addressById.get(aliasId);
      if (address === undefined) return;
      addressById.delete(aliasId);
      byAddress.delete(address);
    },
  };
}
