import { LannerError } from '@lanner/protocol';

const diskFullCodes: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** Whether an error of the file system says that nothing more fits. */
export function isDiskFull(error: unknown): boolean {
  return diskFullCodes.has((error as NodeJS.ErrnoException | undefined)?.code);
}

/** What callers are told then. */
export function diskFull(cause?: unknown): LannerError {
  return new LannerError(
    'storage_full',
    'The disk of this platform is full, so nothing was stored. Delete files, or give it more space.',
    { cause },
  );
}
