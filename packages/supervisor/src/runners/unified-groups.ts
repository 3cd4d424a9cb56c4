import { processesIn, removeTree, tryTo, type CgroupFiles } from './cgroup-files.ts';

/**
 * Groups of version 2 for runners below the group of this process, where that group is ours to divide (a delegated systemd
 * unit, a container). Its rule: a group that hands out controllers holds no processes itself. So this process moves to a
 * leaf, and when others are in the way (the server, the shell that started it) they move along.
 *
 * @param own path of this process's group.
 * @param wanted controllers, by name.
 * @returns the folder below which each runner gets its group, and the controllers that work there.
 */
export function openUnifiedGroups(
  files: CgroupFiles,
  own: string,
  folder: string,
  pid: number,
  wanted: readonly string[],
): { runners: string; controllers: string[]; stop(): void } {
  const available = new Set((files.read(`${own}/cgroup.controllers`) ?? '').trim().split(' '));
  const leaf = `${own}/${folder}-supervisor`;
  const runners = `${own}/${folder}`;
  const controllers: string[] = [];

  const stop = (): void => {
    removeTree(files, runners);
    // Another supervisor of this group, or whoever divided it before us, still needs its controllers.
    if (files.folders(own).some((name) => name !== `${folder}-supervisor`)) return;
    for (const controller of controllers) tryTo(() => files.write(`${own}/cgroup.subtree_control`, `-${controller}`));
    for (const each of processesIn(files, leaf)) tryTo(() => files.write(`${own}/cgroup.procs`, String(each)));
    removeTree(files, leaf);
  };

  const move = (each: number): boolean => tryTo(() => files.write(`${leaf}/cgroup.procs`, String(each)));
  const handOut = (group: string, controller: string): boolean =>
    tryTo(() => files.write(`${group}/cgroup.subtree_control`, `+${controller}`));

  if (!tryTo(() => files.makeFolder(leaf))) return { runners, controllers, stop: () => undefined };
  if (!move(pid) || !tryTo(() => files.makeFolder(runners))) {
    removeTree(files, leaf);
    return { runners, controllers, stop: () => undefined };
  }
  for (const controller of wanted) {
    if (!available.has(controller)) continue;
    if (!handOut(own, controller)) {
      for (const each of processesIn(files, own)) move(each);
      if (!handOut(own, controller)) continue;
    }
    if (handOut(runners, controller)) controllers.push(controller);
  }
  return { runners, controllers, stop };
}
