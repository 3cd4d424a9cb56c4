import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createFakeCgroups, type FakeCgroups } from '../testing/fake-cgroups.ts';
import { createManualClock } from '../testing/manual-clock.ts';
import { openControlGroups, type ControlGroups } from './control-groups.ts';

const supervisor = 100;
/** Above every pid there is, so that nobody's children are moved along. */
const runner = 2 ** 30;
const limits = { memoryMiB: 512, cpus: 0.5 };
const clock = createManualClock();

const open = (files: FakeCgroups, root: string, memberships: string, alive: number[] = [supervisor]): ControlGroups =>
  openControlGroups(clock, { files, root, memberships, pid: supervisor, isAlive: (pid) => alive.includes(pid) });

describe('control groups of version 2', () => {
  const unit = '/cg/lanner.service';
  const aUnit = (processes: number[], controllers = ['cpu', 'memory', 'pids']): FakeCgroups => {
    const files = createFakeCgroups('/cg', [1], controllers);
    files.makeFolder(unit);
    for (const pid of processes) files.write(`${unit}/cgroup.procs`, String(pid));
    // As systemd does for a delegated unit: its processes are all elsewhere.
    files.write('/cg/cgroup.procs', '1');
    return files;
  };
  /** The unit may hand out what its parent gives it; pid 1 has to leave the top for that. */
  const delegate = (files: FakeCgroups, controllers: string[]): FakeCgroups => {
    files.makeFolder('/cg/init.scope');
    files.write('/cg/init.scope/cgroup.procs', '1');
    for (const controller of controllers) files.write('/cg/cgroup.subtree_control', `+${controller}`);
    return files;
  };

  it('hold a runner to its memory, processors and number of processes', async () => {
    const files = delegate(aUnit([supervisor]), ['cpu', 'memory', 'pids']);
    const groups = open(files, '/cg', '0::/lanner.service\n');
    assert.deepEqual(groups.controllers, ['memory', 'cpu', 'pids']);
    const group = groups.create('runner-1', limits, runner);
    await group.entered;
    assert.deepEqual(group.problems, []);
    const path = files.paths().find((each) => each.endsWith('/runner-1'))!;
    assert.deepEqual(files.processesOf(path), [runner]);
    assert.equal(files.read(`${path}/memory.max`), String(512 * 1024 * 1024));
    assert.equal(files.read(`${path}/memory.oom.group`), '1');
    assert.equal(files.read(`${path}/cpu.max`), '50000 100000');
    assert.equal(files.read(`${path}/pids.max`), '4096');

    assert.equal(group.oomKills(), 0);
    files.write(`${path}/memory.events`, 'low 0\nmax 3\noom 1\noom_kill 2\n');
    assert.equal(group.oomKills(), 2);
  });

  it('are removed with the runner, and all of them at the end', async () => {
    const files = delegate(aUnit([supervisor]), ['cpu', 'memory', 'pids']);
    const before = files.paths();
    const groups = open(files, '/cg', '0::/lanner.service');
    const group = groups.create('runner-1', limits, runner);
    await group.entered;
    const path = files.paths().find((each) => each.endsWith('/runner-1'))!;
    group.remove();
    await group.entered;
    assert.ok(files.paths().includes(path), 'while its process is there');
    files.write('/cg/init.scope/cgroup.procs', String(runner));
    clock.advance(1000);
    assert.ok(!files.paths().includes(path));
    groups.stop();
    assert.deepEqual(files.paths(), before);
    assert.deepEqual(files.processesOf(unit), [supervisor]);
  });

  it('hold also where the server and a shell are in the same group', () => {
    const files = delegate(aUnit([supervisor, 50, 51]), ['cpu', 'memory', 'pids']);
    const groups = open(files, '/cg', '0::/lanner.service');
    assert.deepEqual(groups.controllers, ['memory', 'cpu', 'pids']);
    assert.deepEqual(files.processesOf(unit), []);
    groups.stop();
    assert.deepEqual(new Set(files.processesOf(unit)), new Set([supervisor, 50, 51]));
  });

  it('hold with what is delegated: usually memory and pids for an ordinary user', async () => {
    const files = delegate(aUnit([supervisor]), ['memory', 'pids']);
    const groups = open(files, '/cg', '0::/lanner.service');
    assert.deepEqual(groups.controllers, ['memory', 'pids']);
    const group = groups.create('runner-1', limits, runner);
    await group.entered;
    assert.deepEqual(group.problems, []);
  });

  it('are left alone where they are not ours', async () => {
    const files = delegate(aUnit([supervisor]), ['cpu', 'memory', 'pids']);
    files.closed.add(unit);
    const before = files.paths();
    const groups = open(files, '/cg', '0::/lanner.service');
    assert.deepEqual(groups.controllers, []);
    const group = groups.create('runner-1', limits, runner);
    await group.entered;
    assert.deepEqual([group.problems, group.oomKills()], [[], 0]);
    group.remove();
    groups.stop();
    assert.deepEqual(files.paths(), before);
    assert.deepEqual(files.processesOf(unit), [supervisor]);
  });

  it('are found in a container, whose own group is the top of what it sees', () => {
    const files = createFakeCgroups('/cg', [supervisor, 1], ['cpu', 'memory', 'pids']);
    const groups = open(files, '/cg', '0::/system.slice/docker-4242.scope');
    assert.deepEqual(groups.controllers, ['memory', 'cpu', 'pids']);
  });

  it('of supervisors that were killed are removed', () => {
    const files = delegate(aUnit([supervisor]), ['cpu', 'memory', 'pids']);
    for (const name of ['lanner-7-abc', 'lanner-7-abc/runner-9', 'lanner-7-abc-supervisor', 'lanner-8-def', 'other'])
      files.makeFolder(`${unit}/${name}`);
    open(files, '/cg', '0::/lanner.service', [supervisor, 8]);
    const left = files.folders(unit).filter((name) => !name.startsWith(`lanner-${supervisor}-`));
    assert.deepEqual(left, ['lanner-8-def', 'other']);
  });
});

describe('control groups of version 1', () => {
  it('hold a runner by each controller that is writable', async () => {
    const files = createFakeCgroups('/cg', [], null);
    for (const name of ['memory', 'memory/box', 'cpu', 'pids']) files.makeFolder(`/cg/${name}`);
    files.write('/cg/memory/box/cgroup.procs', String(supervisor));
    files.closed.add('/cg/pids');
    const groups = open(files, '/cg', '4:memory:/box\n2:cpu,cpuacct:/\n3:pids:/\n0::/\n');
    assert.deepEqual(groups.controllers, ['memory', 'cpu']);
    const group = groups.create('runner-1', limits, runner);
    await group.entered;
    assert.deepEqual(group.problems, []);
    const [memory, cpu] = ['/cg/memory/box/', '/cg/cpu/'].map((start) =>
      files.paths().find((each) => each.startsWith(start) && each.endsWith('/runner-1'))!,
    );
    assert.equal(files.read(`${memory}/memory.limit_in_bytes`), String(512 * 1024 * 1024));
    assert.equal(files.read(`${cpu}/cpu.cfs_quota_us`), '50000');
    files.write(`${memory}/memory.oom_control`, 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n');
    assert.equal(group.oomKills(), 1);
    group.remove();
    await group.entered;
  });
});
