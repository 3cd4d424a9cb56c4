import type { AuthMode } from '../records/app.ts';
import type { DeployProgress, LoadedPlan } from './deploy-types.ts';
import type { Frame } from './frames.ts';

/** The loader's `loaded` frame. */
export function toLoadedPlan(header: Frame['header']): LoadedPlan {
  const appName = (header['appName'] as string | null) ?? null;
  const objectName = (header['className'] as string | null) ?? null;
  return {
    appName,
    objectName,
    displayName: (header['displayName'] as string | null) ?? objectName ?? appName ?? '',
    auth: (header['auth'] as AuthMode | null) ?? null,
    strategy: header['strategy'] === 'recreate' ? 'recreate' : 'rolling',
    resetScale: header['resetScale'] === true,
    attach: (header['attach'] as boolean | null) ?? null,
    scale: (header['scale'] as Record<string, unknown> | null) ?? {},
  };
}

/** The loader's `packaging` frame. */
export function toPackagingProgress(header: Frame['header']): DeployProgress {
  return {
    type: 'packaging',
    event: header['event'] as 'build_started',
    packageName: (header['packageName'] as string | null) ?? null,
    fileName: (header['fileName'] as string | null) ?? null,
    bytes: (header['bytes'] as number | null) ?? null,
  };
}
