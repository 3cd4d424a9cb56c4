import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** sun_path holds 108 bytes on Linux, 104 on macOS, one of them for the final zero. */
const maxSocketPathBytes = 100;
/** Room for the longest socket name made below the folder. */
const nameBytes = 24;

/** A folder whose paths are short enough for Unix sockets. */
export interface SocketFolder {
  path: string;
  /** Removes it when it was made for this process alone. */
  remove(): Promise<void>;
}

/**
 * `preferred` itself when socket paths below it fit, else a new private folder below the system's temporary one.
 * @param preferred absolute path; created with mode 0700.
 */
export async function openSocketFolder(preferred: string): Promise<SocketFolder> {
  if (Buffer.byteLength(preferred) + nameBytes <= maxSocketPathBytes) {
    await mkdir(preferred, { recursive: true, mode: 0o700 });
    return { path: preferred, remove: async () => {} };
  }
  const path = await mkdtemp(join(tmpdir(), 'lanner-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
