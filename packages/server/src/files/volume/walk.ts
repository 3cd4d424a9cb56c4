import { codeOf, type Folder, type Owner } from './folder.ts';
import { isAbove, isRootName, splitSegments, type VolumePath } from './parse-volume-path.ts';

/** Where a path leads: the folder it ends in, and the name in there. `name` null: the root itself. */
export interface Place {
  folder: Folder;
  name: Buffer | null;
}

export interface WalkOptions {
  /** Makes folders that are missing on the way. */
  make?: { owner: Owner | null };
  /** A link at the end is followed too; otherwise it is what the path means. */
  followLast?: boolean;
}

/** Links followed on one way, as Linux has it. */
const mostLinks = 40;

/**
 * Goes along a path, one folder after the other, and hands the place it leads to to `use`. Links are followed as a runner sees
 * them (its root is `/`, the volume is `/data`), and never out of the volume: each step opens a name of the folder before.
 *
 * @returns what `use` returns; null where something on the way is missing, is no folder, or leads outside.
 */
export async function walk<Result>(
  root: Folder,
  path: VolumePath,
  options: WalkOptions,
  use: (place: Place) => Promise<Result>,
): Promise<Result | null> {
  const opened: Folder[] = [];
  // Folders from the root down to where we are.
  const stack: Folder[] = [root];
  const pending = [...path];
  let linkCount = 0;

  /** Puts what a link says in front of the rest of the way; false when it leads outside. */
  const follow = async (folder: Folder, name: Buffer): Promise<boolean> => {
    linkCount += 1;
    if (linkCount > mostLinks) return false;
    const target = await folder.readLink(name);
    const segments = splitSegments(target);
    if (target[0] === 0x2f) {
      if (!isRootName(segments[0])) return false;
      segments.shift();
      stack.length = 1;
    }
    pending.unshift(...segments);
    return true;
  };

  try {
    for (;;) {
      const folder = stack.at(-1)!;
      const name = pending.shift();
      if (name === undefined) {
        // Ended with a folder that a link led to, or the root.
        return await use(stack.length === 1 ? { folder: root, name: null } : { folder, name: here });
      }
      if (isAbove(name)) {
        if (stack.length === 1) return null;
        stack.pop();
        continue;
      }
      const isLast = pending.length === 0;
      if (isLast) {
        if (options.followLast !== true || (await folder.kindOf(name)) !== 'link') return await use({ folder, name });
        if (!(await follow(folder, name))) return null;
        continue;
      }
      const inner = await enter(folder, name, options);
      if (inner === 'link') {
        if (!(await follow(folder, name))) return null;
      } else if (inner === null) return null;
      else {
        opened.push(inner);
        stack.push(inner);
      }
    }
  } finally {
    for (const folder of opened) await folder.close();
  }
}

const here = Buffer.from('.');

async function enter(folder: Folder, name: Buffer, { make }: WalkOptions): Promise<Folder | 'link' | null> {
  try {
    return await (make === undefined ? folder.enter(name) : folder.enterOrMake(name, make.owner));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    if (codeOf(error) !== 'ENOTDIR' && codeOf(error) !== 'ELOOP') throw error;
    return (await folder.kindOf(name)) === 'link' ? 'link' : null;
  }
}
