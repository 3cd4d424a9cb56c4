/**
 * What docs/client.md and the README of the client show: type-checked, and those of the guide run as they stand. (Doc comments:
 * test/docs.)
 */
import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { repositoryRoot, runCommand, startPlatform, type Platform } from './platform.ts';

const app = `import fal
from pydantic import BaseModel


class Greeting(BaseModel):
    name: str


class Number(BaseModel):
    value: int


class MyApp(fal.App):
    machine_type = "S"

    @fal.endpoint("/")
    def greet(self, greeting: Greeting) -> dict:
        return {"message": f"Hello, {greeting.name}!"}

    @fal.endpoint("/count")
    def count(self):
        from fastapi.responses import StreamingResponse

        return StreamingResponse((f"data: {{\\"n\\": {n}}}\\n\\n" for n in range(3)), media_type="text/event-stream")

    @fal.realtime("/realtime")
    def double(self, number: Number) -> Number:
        return Number(value=number.value * 2)
`;
const functions = `import fal\n\n\n@fal.function(machine_type="S")\ndef add(a, b):\n    print("adding")\n    return a + b\n`;

/** Code blocks marked `ts`. */
function blocksOf(text: string): string[] {
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((match) => match[1]!);
}

describe('the examples of @lanner/client', () => {
  let platform: Platform;
  let folder: string;
  let guide: string[];
  before(async () => {
    await mkdir(join(repositoryRoot, '.cache'), { recursive: true });
    // Inside the repository, so that the name of the package means ours.
    folder = mkdtempSync(join(repositoryRoot, '.cache/client-docs-'));
    await writeFile(join(folder, 'package.json'), '{"type":"module"}');
    await writeFile(join(folder, 'pyproject.toml'), '[tool.fal.apps.my-app]\nref = "app.py::MyApp"\n');
    await writeFile(join(folder, 'app.py'), app);
    await writeFile(join(folder, 'functions.py'), functions);
    guide = blocksOf(await readFile(join(repositoryRoot, 'docs/client.md'), 'utf8'));
    await Promise.all(guide.map((block, index) => writeFile(join(folder, `guide-${index}.ts`), block)));
    platform = await startPlatform();
  });
  after(async () => {
    await platform?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('are all correct for a strict compiler', async () => {
    const readme = blocksOf(await readFile(join(repositoryRoot, 'packages/client/README.md'), 'utf8'));
    assert.ok(guide.length >= 9 && readme.length >= 1, `${guide.length} and ${readme.length} blocks`);
    await Promise.all(readme.map((block, index) => writeFile(join(folder, `readme-${index}.ts`), block)));
    await writeFile(
      join(folder, 'tsconfig.json'),
      JSON.stringify({
        extends: '../../tsconfig.base.json',
        compilerOptions: { composite: false, noEmit: true },
        include: ['*.ts'],
      }),
    );
    const { code, stdout } = await runCommand(
      join(repositoryRoot, 'node_modules/.bin/tsc'),
      ['-p', folder],
      process.env,
    );
    assert.equal(code, 0, stdout);
  });

  it('of docs/client.md run in their order', async () => {
    for (const [index, block] of guide.entries()) {
      const { code, stdout, stderr } = await platform.run(process.execPath, [`guide-${index}.ts`], { cwd: folder });
      assert.equal(code, 0, `${block}\n${stdout}${stderr}`);
      if (block.includes("'Ada'")) assert.match(stdout, /Hello, Ada![\s\S]*0\n1\n2\n/);
      if (block.includes('client.realtime')) assert.match(stdout, /connecting\nopen\n[\s\S]*\[ 2, 4, 6 \]/);
      if (block.includes('AppError')) assert.match(stdout, /^422 /m);
      if (block.includes('=== 42')) assert.match(stdout, /adding[\s\S]*true/);
    }
  });

  it('of examples/automate lead an app through its life', async () => {
    const { code, stdout, stderr } = await platform.run(process.execPath, [
      join(repositoryRoot, 'examples/automate/automate.ts'),
    ]);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /deployed automated as [\s\S]*is ready\nHello, Ada!\n[\s\S]*deleted revision /);
    const { stdout: listed } = await platform.python(
      'from fal.api import SyncServerlessClient\nprint([a.alias for a in SyncServerlessClient().apps.list()])',
    );
    assert.equal(listed.trim(), '[]');
  });
});
