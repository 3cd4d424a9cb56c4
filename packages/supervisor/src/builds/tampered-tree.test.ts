import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { EnvironmentDefinition } from '@lanner/protocol';
import { serveSdist, type ServedSdist } from '../testing/serve-sdist.ts';
import { startTestSupervisor, type TestSupervisor } from '../testing/test-supervisor.ts';

/** Finds the trees of the account from within a build, and does something to the one that is being made. */
const backend = (tamper: string): string => `
import os, pathlib, sys
def build_wheel(folder, config_settings=None, metadata_directory=None):
    trees = next(parent for parent in pathlib.Path(folder).resolve().parents if parent.name == "trees")
    for tree in trees.iterdir():
        if (tree / "pyvenv.cfg").exists() and not (tree / "marked").exists():
            tamper(tree)
    return write_wheel(folder, {"tampered.py": "x = 1\\n"})
def tamper(tree):
    ${tamper}
`;

const printSeen = (hidden: string): string => `
def main():
    import os
    print("seen", os.path.exists(${JSON.stringify(join(hidden, 'secret'))}))
`;

describe('a build that leads its own tree elsewhere', () => {
  let test: TestSupervisor;
  let folder: string;
  let hidden: string;
  before(async () => {
    test = await startTestSupervisor();
    folder = await mkdtemp(join(tmpdir(), 'lanner-hidden-'));
    hidden = join(folder, 'hidden');
    // A folder that looks like the prefix of an interpreter.
    await mkdir(join(hidden, 'bin'), { recursive: true });
    await writeFile(join(hidden, 'secret'), 'secret');
    await writeFile(join(hidden, 'pyvenv.cfg'), 'home = /usr/bin\n');
  });
  after(async () => {
    await test?.stop();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  const cases: [string, (hidden: string) => string][] = [
    [
      'by another home in its pyvenv.cfg',
      (path) =>
        `(tree / "pyvenv.cfg").write_text((tree / "pyvenv.cfg").read_text() + "home = ${path}/bin\\n"); (tree / "marked").touch()`,
    ],
    [
      'by the link to its interpreter',
      (path) =>
        `(tree / "bin/python").unlink(); (tree / "bin/python").symlink_to("${path}/bin/python"); (tree / "marked").touch()`,
    ],
    ['by being a link itself', (path) => `tree.rename(tree.with_name("moved")); tree.symlink_to("${path}")`],
  ];
  for (const [how, tamper] of cases) {
    it(`${how} is shown nothing of the host`, async (context) => {
      if ((await test.api.status()).isolation.level !== 'namespaces') return context.skip('nothing is hidden here');
      const sdist: ServedSdist = await serveSdist(`tampered${cases.findIndex(([name]) => name === how)}`, () =>
        backend(tamper(hidden)),
      );
      try {
        const environment: EnvironmentDefinition = {
          kind: 'virtualenv',
          configuration: { requirements: [sdist.requirement] },
        };
        const request = await test.request(printSeen(hidden), { environment });
        const stream = await test.api.openEvents();
        // A tree that is of no use any more is refused in whatever way; only what comes to run could tell.
        await test.api.startRunner(request).catch(() => undefined);
        const { runnerId } = request;
        const isEnd = (event: { type: string; runnerId?: string }): boolean =>
          event.type === 'runner.exited' && event.runnerId === runnerId;
        await stream.find((event) => isEnd(event as { type: string; runnerId?: string }));
        stream.close();
        const lines = stream.events.flatMap((event) => (event.type === 'runner.log' ? [event.line] : []));
        assert.ok(!lines.includes('seen True'), lines.join('\n'));
      } finally {
        await sdist.stop();
      }
    });
  }
});
