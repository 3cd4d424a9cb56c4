import { access, constants } from 'node:fs/promises';

/** True when this user may run what lies there. */
export async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
