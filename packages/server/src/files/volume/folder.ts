import { constants, type BigIntStats, type Stats } from 'node:fs';
import { lstat, mkdir, open, readdir, readlink, rename, rmdir, unlink, type FileHandle } from 'node:fs/promises';
import { platform } from 'node:process';

/** User and group of new files; null: ours. */
export interface Owner {
  uid: number;
  gid: number;
}

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
const slash = Buffer.from('/');

/** What stands at a name, without following a link. */
export type EntryKind = 'file' | 'folder' | 'link' | 'other';

/**
 * An open folder. Names are looked up in the folder itself, not by its path: whatever is moved or replaced by links above it,
 * what happens here happens in this folder. A name that is a link is never followed.
 *
 * Node has no `openat`; on Linux `/proc/self/fd/N/name` is the same. Elsewhere runners are not isolated, and paths are used.
 */
export class Folder {
  readonly #handle: FileHandle;
  readonly #prefix: Buffer;

  private constructor(handle: FileHandle, path: Buffer) {
    this.#handle = handle;
    this.#prefix = platform === 'linux' ? Buffer.from(`/proc/self/fd/${handle.fd}/`) : Buffer.concat([path, slash]);
  }

  /** @param path of a folder that nobody but us can replace. */
  static async open(path: string): Promise<Folder> {
    return Folder.#openAt(Buffer.from(path));
  }

  static async #openAt(path: Buffer): Promise<Folder> {
    return new Folder(await open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW), path);
  }

  /** Throws ENOENT, and ENOTDIR for everything that is no folder, links included. */
  enter(name: Buffer): Promise<Folder> {
    return Folder.#openAt(this.#at(name));
  }

  /** The folder of this name, made when missing. */
  async enterOrMake(name: Buffer, owner: Owner | null): Promise<Folder> {
    try {
      return await this.enter(name);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
    }
    await mkdir(this.#at(name), { mode: 0o755 }).catch((error: unknown) => {
      if (codeOf(error) !== 'EEXIST') throw error;
    });
    const folder = await this.enter(name);
    if (owner !== null) await folder.#handle.chown(owner.uid, owner.gid);
    return folder;
  }

  stat(name: Buffer): Promise<Stats> {
    return lstat(this.#at(name));
  }

  async kindOf(name: Buffer): Promise<EntryKind | null> {
    try {
      return kindOf(await this.stat(name));
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return null;
      throw error;
    }
  }

  readLink(name: Buffer): Promise<Buffer> {
    return readlink(this.#at(name), { encoding: 'buffer' });
  }

  list(): Promise<Buffer[]> {
    return readdir(this.#prefix, { encoding: 'buffer' });
  }

  /** Opens for reading; does not wait for the other end of a pipe. Throws ELOOP for a link. */
  openFile(name: Buffer): Promise<FileHandle> {
    return open(this.#at(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  }

  /** Makes a file; throws EEXIST. */
  async createFile(name: Buffer, owner: Owner | null): Promise<FileHandle> {
    const file = await open(this.#at(name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o644);
    try {
      if (owner !== null) await file.chown(owner.uid, owner.gid);
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Replaces what is there. */
  rename(name: Buffer, target: Folder, newName: Buffer): Promise<void> {
    return rename(this.#at(name), target.#at(newName));
  }

  unlink(name: Buffer): Promise<void> {
    return unlink(this.#at(name));
  }

  removeEmpty(name: Buffer): Promise<void> {
    return rmdir(this.#at(name));
  }

  /** Makes what was renamed in it durable. */
  sync(): Promise<void> {
    return this.#handle.sync();
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  #at(name: Buffer): Buffer {
    return Buffer.concat([this.#prefix, name]);
  }
}

export function kindOf(stats: Stats | BigIntStats): EntryKind {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'folder';
  return stats.isSymbolicLink() ? 'link' : 'other';
}

export function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}
