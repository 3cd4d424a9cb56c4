import type { Stats } from 'node:fs';
import { codeOf, kindOf, type Folder } from './folder.ts';
import { formatVolumePath, type VolumePath } from './parse-volume-path.ts';
import { isTemporaryName } from './temporary-name.ts';
import { walk, type Place } from './walk.ts';

/** One entry of a folder. */
export interface VolumeEntry {
  /** `/data/…`. */
  path: string;
  name: string;
  sizeBytes: number;
  isFile: boolean;
  createdAtMs: number;
  modifiedAtMs: number;
}

/** Entries of one listing; beyond that the rest is left out. */
const mostEntries = 50_000;
/** An upload that has written nothing for so long is none any more. */
const oldMs = 24 * 60 * 60 * 1000;
/** Looked at side by side. */
const lookups = 16;

/**
 * What is in a folder. A link is shown as what it leads to inside the volume. One that leads nowhere or outside is not shown:
 * whoever downloads a folder asks for every entry, and this one cannot be had. It can be deleted all the same.
 *
 * @param path as it was asked for; the entries' paths begin with it.
 */
export async function listFolder(
  root: Folder,
  path: VolumePath,
  { folder: parent, name }: Place,
  nowMs: number,
): Promise<VolumeEntry[]> {
  const folder = name === null ? parent : await parent.enter(name).catch(absentAsNull);
  if (folder === null) return [];
  try {
    const all = await folder.list();
    for (const entry of all.filter(isTemporaryName)) await removeIfOld(folder, entry, nowMs);
    const names = all.filter((entry) => !isTemporaryName(entry)).slice(0, mostEntries);
    const entries: VolumeEntry[] = [];
    for (let start = 0; start < names.length; start += lookups) {
      const group = names.slice(start, start + lookups);
      const found = await Promise.all(group.map((entry) => look(root, folder, path, entry)));
      for (const entry of found) if (entry !== null) entries.push(entry);
    }
    return entries.sort((left, right) => (left.name < right.name ? -1 : 1));
  } finally {
    if (name !== null) await folder.close();
  }
}

/** What a server that died left of an upload. */
async function removeIfOld(folder: Folder, name: Buffer, nowMs: number): Promise<void> {
  const stats = await folder.stat(name).catch(absentAsNull);
  if (stats !== null && nowMs - stats.mtimeMs > oldMs) await folder.unlink(name).catch(absentAsNull);
}

async function look(root: Folder, folder: Folder, path: VolumePath, name: Buffer): Promise<VolumeEntry | null> {
  const stats = await folder.stat(name).catch(absentAsNull);
  if (stats === null) return null;
  const meant = kindOf(stats) === 'link' ? await followed(root, [...path, name]) : stats;
  if (meant === null) return null;
  return {
    path: formatVolumePath([...path, name]),
    name: String(name),
    sizeBytes: meant.isDirectory() ? 0 : meant.size,
    isFile: !meant.isDirectory(),
    createdAtMs: stats.birthtimeMs,
    modifiedAtMs: meant.mtimeMs,
  };
}

function followed(root: Folder, path: VolumePath): Promise<Stats | null> {
  return walk(root, path, { followLast: true }, ({ folder, name }) => folder.stat(name ?? here).catch(absentAsNull));
}

const here = Buffer.from('.');

function absentAsNull(error: unknown): null {
  if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(codeOf(error) ?? '')) return null;
  throw error;
}
