import { LannerError } from '@lanner/protocol';
import type { File } from '@lanner/protocol/controller';

const mostFiles = 100_000;
const longestPath = 4096;

function refuse(message: string): never {
  throw new LannerError('invalid_argument', message);
}

/**
 * The file list of a run or deploy: hashes of uploaded content and where each appears below /app.
 * @throws `invalid_argument` for a hash that is none, a path that could leave /app, or two contents for one path.
 */
export function parseAppFiles(sent: File[]): { hash: string; relativePath: string }[] {
  if (sent.length > mostFiles) refuse(`The app has ${sent.length} files; the limit is ${mostFiles}.`);
  const hashByPath = new Map<string, string>();
  for (const { hash, relativePath } of sent) {
    if (!/^[0-9a-f]{64}$/.test(hash)) {
      refuse(
        `The file ${JSON.stringify(relativePath.slice(0, 200))} has the hash ${JSON.stringify(hash.slice(0, 80))}; a lower-case hex SHA-256 is expected.`,
      );
    }
    assertRelativePath(relativePath);
    const other = hashByPath.get(relativePath);
    if (other !== undefined && other !== hash)
      refuse(`The path ${JSON.stringify(relativePath)} is listed twice with different contents.`);
    hashByPath.set(relativePath, hash);
  }
  for (const path of hashByPath.keys()) {
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      if (hashByPath.has(path.slice(0, slash)))
        refuse(`${JSON.stringify(path.slice(0, slash))} is listed both as a file and as a folder.`);
    }
  }
  return [...hashByPath].map(([relativePath, hash]) => ({ hash, relativePath }));
}

function assertRelativePath(path: string): void {
  const parts = path.split('/');
  const isGood =
    path.length > 0 &&
    path.length <= longestPath &&
    !path.includes('\0') &&
    !path.includes('\\') &&
    parts.every((part) => part !== '' && part !== '.' && part !== '..' && part.length <= 255);
  if (!isGood) {
    refuse(
      `The file path ${JSON.stringify(path.slice(0, 200))} cannot be used: it must be relative, with "/" between names and without "." or "..".`,
    );
  }
}

/**
 * Folders of the persistent volume that a runner sees; empty = all of /data.
 * @throws `invalid_argument`
 */
export function parseDataMounts(sent: string[]): string[] {
  for (const path of sent) {
    const parts = path.split('/').slice(1);
    const isGood =
      (path === '/data' || path.startsWith('/data/')) &&
      path.length <= longestPath &&
      !path.includes('\0') &&
      parts.every((part) => part !== '' && part !== '.' && part !== '..');
    if (!isGood)
      refuse(
        `The data mount ${JSON.stringify(path.slice(0, 200))} cannot be used: it must be /data or a folder below it.`,
      );
  }
  return [...new Set(sent)];
}
