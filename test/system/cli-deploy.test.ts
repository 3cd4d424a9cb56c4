/** `lanner deploy`, `run`, `create` and `api` as a person uses them: a bare machine, a project, mistakes, Ctrl-C. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { stripVTControlCharacters, styleText } from 'node:util';
import { ensurePythonEnv } from '../../scripts/python-env.ts';
import { eventually, lannerBin, repositoryRoot, startPlatform, type CommandResult, type Platform } from './platform.ts';

let platform: Platform;
let folder: string;

before(async () => {
  platform = await startPlatform();
  folder = await mkdtemp(join(tmpdir(), 'lanner-cli-deploy-'));
});
after(async () => {
  await platform?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** The platform is found by its data folder alone: nothing was exported. */
const run = (words: string[], options: { cwd?: string; env?: Record<string, string> } = {}): Promise<CommandResult> =>
  platform.lanner(words, { cwd: options.cwd ?? folder, env: { LANNER_HOME: platform.dataDir, ...options.env } });

/** A command that gets Ctrl-C as soon as it has said something: as from a terminal, with everything it has started. */
async function interrupted(
  words: string[],
  after: RegExp,
  cwd = folder,
): Promise<{ code: number | null; stderr: string }> {
  const { bin } = await ensurePythonEnv();
  const env = { PATH: `${bin}:${process.env['PATH']}`, HOME: folder, LANNER_HOME: platform.dataDir, NO_COLOR: '1' };
  const child = spawn(process.execPath, [lannerBin, ...words], { cwd, env, detached: true });
  let stderr = '';
  let wasSent = false;
  const guard = setTimeout(() => child.kill('SIGKILL'), 60_000);
  child.stdout.resume();
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    if (wasSent || !after.test(stderr)) return;
    wasSent = true;
    process.kill(-child.pid!, 'SIGINT');
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearTimeout(guard);
  return { code, stderr };
}

describe('lanner deploy', () => {
  test('works on a machine whose Python has no fal, with nothing exported', async () => {
    const { python } = await ensurePythonEnv();
    const tools = join(folder, 'tools');
    await mkdir(tools);
    // The Python of this machine has no fal; this uv prepares the one of the tests.
    await writeFile(join(tools, 'python3'), '#!/bin/sh\necho 3 12 0\n', { mode: 0o755 });
    const uv = `#!/bin/sh\nwhile [ "$1" != python ]; do shift; done\nshift\nexec ${python} "$@"\n`;
    await writeFile(join(tools, 'uv'), uv, { mode: 0o755 });
    const deployed = await run(['deploy', 'examples/hello/app.py'], {
      cwd: repositoryRoot,
      env: { PATH: `${tools}:/usr/bin:/bin` },
    });
    assert.equal(deployed.code, 0, deployed.stderr);
    assert.match(
      deployed.stderr,
      /Deploying 'Hello' as app 'hello'[\s\S]*Building environment\.\.\.[\s\S]*✓ Build complete/,
    );
    assert.match(
      deployed.stdout,
      /^✓ Deployed successfully\n[\s\S]*Auth: private[\s\S]*Sync {3}https:\/\/localhost:\d+\/run\/acme\/hello\//,
    );
    const called = await run(['api', 'acme/hello', 'name=Ada']);
    assert.deepEqual(JSON.parse(called.stdout), { message: 'Hello, Ada!' }, called.stderr);
  });

  test('deploys the folder that lanner create has written, as it stands', async () => {
    const created = await run(['create', 'app', 'second-app']);
    assert.deepEqual([created.code, created.stdout], [0, 'Created second-app with the app SecondApp.\n']);
    const project = join(folder, 'second-app');
    const deployed = await run(['deploy', '--json', '--message', 'first'], { cwd: project });
    assert.equal(deployed.code, 0, deployed.stderr);
    assert.equal((JSON.parse(deployed.stdout) as { app_name: string }).app_name, 'second-app');
    const called = await run(['api', 'acme/second-app', 'name=Bo']);
    assert.deepEqual(JSON.parse(called.stdout), { message: 'Hello, Bo!' });
    const checked = await run(['deploy', 'second-app', '--check'], { cwd: project });
    assert.equal(checked.code, 1);
    assert.match(checked.stderr, /Deployment Check: second-app[\s\S]*error: Deploy confirmation .*\nRe-run with --yes/);
    const again = await run(['create', 'app', 'second-app']);
    assert.match(again.stderr, /^error: The folder .*second-app is not empty\.\n/);
  });

  test('says what is wrong with what it was given, and what there is instead', async () => {
    await writeFile(join(folder, 'two.py'), 'import fal\nclass One(fal.App): pass\nclass Two(fal.App): pass\n');
    await writeFile(join(folder, 'broken.py'), 'import fal\n\ndef f(:\n    pass\n');
    await writeFile(join(folder, 'needs.py'), 'import nothing_like_it\n');
    await writeFile(join(folder, 'none.py'), 'x = 1\n');
    await writeFile(join(folder, 'app.ts'), 'export {};\n');
    const mistakes = [
      [['deploy', 'missing.py'], /^error: There is no file .*missing\.py\.\n.*two\.py/],
      [
        ['deploy', 'two.py'],
        /error: .*two\.py holds several apps: "One", "Two"\.\nName one of them, e\.g\. ".*two\.py::One"\.\n/,
      ],
      [['deploy', 'two.py::Three'], /error: There is no app "Three" in .*two\.py\.\nIt has "One", "Two"\.\n/],
      [['deploy', 'broken.py'], /error: .*broken\.py, line 3: SyntaxError: invalid syntax\ndef f\(:\n/],
      [['deploy', 'needs.py'], /error: .*needs\.py imports nothing_like_it, which the Python/],
      [['deploy', 'none.py'], /error: .*none\.py holds no app/],
      [['deploy', 'app.ts'], /^error: app\.ts is an app in TypeScript/],
      [['deploy', 'no-such-app'], /^error: There is no app "no-such-app": no pyproject\.toml/],
      [
        ['deploy', 'two.py::One', '--attach', '--strategy', 'recreate'],
        /^error: --attach\/--detach only applies to rolling/,
      ],
      [
        ['deploy', 'two.py::One', '--annotation', 'a=1', '--annotation', 'a=2'],
        /^error: Duplicate annotation key 'a'\./,
      ],
      [['run', 'two.py::One', '--exposed-port', '80'], /^error: .* can only be used with --local\./],
    ] as const;
    const check = async ([words, says]: (typeof mistakes)[number]): Promise<void> => {
      const { code, stdout, stderr } = await run([...words]);
      assert.deepEqual([code, stdout], [1, ''], words.join(' '));
      assert.match(stderr, says, words.join(' '));
    };
    // Most of the time goes into starts of Python.
    for (let at = 0; at < mistakes.length; at += 3) await Promise.all(mistakes.slice(at, at + 3).map(check));
    assert.ok(!(await run(['apps', 'list', '--json'])).stdout.includes('"one"'));
  });

  test('Ctrl-C in the middle of an upload ends it, and says that nothing was deployed', async () => {
    await writeFile(join(folder, 'large.bin'), Buffer.alloc(150 * 1024 * 1024, 'x'));
    const app =
      'import fal\nclass Large(fal.App):\n    app_files = ["large.bin"]\n    @fal.endpoint("/")\n    def f(self) -> int:\n        return 1\n';
    await writeFile(join(folder, 'large.py'), app);
    const { code, stderr } = await interrupted(['deploy', 'large.py'], /Deploying 'Large'/);
    assert.equal(code, 1);
    assert.match(stderr, /error: Aborted\.\nNothing was deployed\./);
    assert.ok(!(await run(['apps', 'list', '--json'])).stdout.includes('"large"'));
  });
});

describe('lanner run', () => {
  test('prints what a function prints, and its own words elsewhere', async () => {
    await writeFile(
      join(folder, 'functions.py'),
      'import fal\n\n@fal.function()\ndef hi():\n    print("hi from the function")\n    return 1\n\n@fal.function()\ndef fails():\n    raise ValueError("no good")\n',
    );
    const { code, stdout, stderr } = await run(['run', 'functions.py::hi']);
    assert.deepEqual([code, stdout], [0, 'hi from the function\n'], stderr);
    const local = await run(['run', 'functions.py::hi', '--local'], { env: { LANNER_HOME: folder } });
    assert.deepEqual([local.code, local.stdout], [0, 'hi from the function\n'], local.stderr);
    const failed = await run(['run', 'functions.py::fails']);
    assert.equal(failed.code, 1);
    assert.match(
      failed.stderr,
      /File ".*", line 10, in fails\n[\s\S]*error: The function raised ValueError: no good\n/,
    );
  });

  test('serves an app until Ctrl-C, and nothing of it stays', async () => {
    // an app of the project that was made above, under another name
    const words = ['run', 'second-app', '--app-name', 'passing'];
    const { code, stderr } = await interrupted(words, /Deleted when process exits/, join(folder, 'second-app'));
    assert.equal(code, 1);
    assert.match(
      stderr,
      /Ephemeral App \(public\)[\s\S]*Sync {3}https:\/\/\S+\/passing[\s\S]*error: Aborted\.\nThe app and its runners are gone\./,
    );
    assert.doesNotMatch(stderr, /Traceback/);
    await eventually(
      async () => assert.ok(!(await run(['runners', 'list', '--json'])).stdout.includes('passing')),
      20_000,
    );
  });
});

test('a terminal gets colours, a pipe and NO_COLOR do not', async () => {
  const inTerminal = (env: Record<string, string>): Promise<CommandResult> =>
    platform.run('script', ['-qec', `${process.execPath} ${lannerBin} keys list`, '/dev/null'], {
      env: { NO_COLOR: undefined, TERM: 'xterm-256color', COLUMNS: undefined, ...env },
    });
  const coloured = (await inTerminal({})).stdout;
  assert.ok(coloured.includes(styleText('bold', 'Key ID', { validateStream: false })), coloured);
  for (const { stdout } of [await inTerminal({ NO_COLOR: '1' }), await run(['keys', 'list'])]) {
    assert.equal(stdout, stripVTControlCharacters(stdout));
  }
});
