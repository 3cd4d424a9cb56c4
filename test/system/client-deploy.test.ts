/** Deploys and runs by the TypeScript client, and what it says about files that cannot be deployed. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { DeployProgress, ServerlessClient } from '@lanner/client';
import { ensurePythonEnv } from '../../scripts/python-env.ts';
import { clientOf, variablesOf } from './client-of.ts';
import { eventually, startPlatform, type Platform } from './platform.ts';

const withFiles = `import fal


class WithFiles(fal.App, keep_alive=20):
    machine_type = "S"
    app_files = ["data"]

    @fal.endpoint("/")
    def read(self) -> dict:
        import os
        found = {}
        for folder, _, names in os.walk("data"):
            for name in names:
                path = os.path.join(folder, name)
                found[path] = os.path.getsize(path)
        return found

    @fal.endpoint("/stream")
    def count(self):
        from fastapi.responses import StreamingResponse

        def events():
            for n in range(3):
                yield f"data: {{\\"n\\": {n}}}\\n\\n"

        return StreamingResponse(events(), media_type="text/event-stream")
`;

interface Failure {
  code?: string;
  message: string;
  advice?: string;
  details?: Record<string, unknown>;
}

describe('@lanner/client: deploys and runs', () => {
  let platform: Platform;
  let client: ServerlessClient;
  let folder: string;
  before(async () => {
    platform = await startPlatform();
    client = await clientOf(platform);
    folder = await mkdtemp(join(tmpdir(), 'lanner-client-apps-'));
  });
  after(async () => {
    client?.close();
    await platform?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const failure = async (work: Promise<unknown>): Promise<Failure> => {
    try {
      await work;
    } catch (error) {
      return error as Failure;
    }
    throw new assert.AssertionError({ message: 'nothing was thrown' });
  };
  const file = async (name: string, text: string): Promise<string> => {
    await writeFile(join(folder, name), text);
    return name;
  };

  it('deploys a class with files, sends each file once, and tells how it goes', async () => {
    await mkdir(join(folder, 'data/deep'), { recursive: true });
    await writeFile(join(folder, 'data/large.bin'), Buffer.alloc(25 * 1024 * 1024, 7));
    await writeFile(join(folder, 'data/empty'), '');
    await writeFile(join(folder, 'data/deep/same-1.txt'), 'the same');
    await writeFile(join(folder, 'data/deep/same-2.txt'), 'the same');
    await file('with_files.py', withFiles);
    const seen: DeployProgress[] = [];
    const options = {
      cwd: folder,
      auth: 'public',
      message: 'first',
      annotations: { commit: 'abc' },
      strategy: 'rolling',
      onProgress: (progress: DeployProgress) => void seen.push(progress),
    } as const;
    const deployment = await client.deploy('with_files.py::WithFiles', options);
    assert.equal(deployment.appName, 'with-files');
    assert.equal(deployment.authMode, 'public');
    assert.match(deployment.revision, /^[0-9a-f-]{36}$/);
    assert.deepEqual(
      seen.flatMap((each) => (each.type === 'phase' ? [each.phase] : [])),
      ['loading', 'uploading', 'building', 'deploying'],
    );
    const uploads = seen.filter((each) => each.type === 'upload');
    assert.equal(uploads[0]?.files, 3, 'two equal files are one');
    assert.equal(uploads.at(-1)?.uploadedBytes, 25 * 1024 * 1024 + 8);
    assert.ok(seen.some((each) => each.type === 'log' && each.log.source === 'user'));
    assert.ok(seen.some((each) => each.type === 'urls' && each.urls.run.endsWith('/acme/with-files')));

    const { data } = await client.run<Record<string, number>>('acme/with-files');
    assert.deepEqual(data, {
      'data/large.bin': 26_214_400,
      'data/empty': 0,
      'data/deep/same-1.txt': 8,
      'data/deep/same-2.txt': 8,
    });
    const numbers: number[] = [];
    for await (const event of client.stream<{ n: number }>('acme/with-files')) numbers.push(event.n);
    assert.deepEqual(numbers, [0, 1, 2]);

    const metadata = await platform.python(
      `import os, json, urllib.request
call = urllib.request.Request("https://" + os.environ["FAL_REST_HOST"] + "/applications/acme/with-files/metadata", headers={"Authorization": "Key " + os.environ["FAL_KEY"]})
found = json.load(urllib.request.urlopen(call))
print(json.dumps([found["message"], found["annotations"], sorted(found["openapi"]["paths"])]))`,
    );
    assert.deepEqual(
      JSON.parse(metadata.stdout),
      ['first', { commit: 'abc' }, ['/', '/health', '/stream']],
      metadata.stderr,
    );

    seen.length = 0;
    await client.deploy(['with_files.py', 'WithFiles'], options);
    const again = seen.filter((each) => each.type === 'upload');
    assert.equal(again.at(-1)?.files, 0, 'unchanged files are not sent again');
    const { stdout } = await platform.python(
      `from fal.api import SyncServerlessClient\nprint([[a.alias, a.auth_mode] for a in SyncServerlessClient().apps.list()])`,
    );
    assert.match(stdout, /\['with-files', 'public'\]/);
  });

  it('deploys into an environment under a name of its own', async () => {
    await client.environments.create('staging');
    const deployment = await client.deploy('with_files.py', {
      cwd: folder,
      appName: 'renamed',
      environmentName: 'staging',
    });
    assert.equal(deployment.appName, 'renamed');
    const [app] = await client.apps.list({ environmentName: 'staging' });
    assert.equal(app?.alias, 'renamed--staging');
    assert.equal(app.environmentName, 'staging');
    assert.equal(app.authMode, 'private');
    assert.equal(await client.apps.delete('renamed', { environmentName: 'staging' }), deployment.revision);
  });

  it('deploys the only app of a project, and the only file of a folder', async () => {
    const project = join(folder, 'project');
    await mkdir(join(project, 'src'), { recursive: true });
    await writeFile(join(project, 'src/app.py'), withFiles.replace('    app_files = ["data"]\n', ''));
    await writeFile(
      join(project, 'pyproject.toml'),
      '[tool.fal.apps.from-project]\nref = "src/app.py::WithFiles"\nauth = "shared"\n',
    );
    const deployment = await client.deploy(undefined, { cwd: join(project, 'src') });
    assert.equal(deployment.appName, 'from-project');
    assert.equal((await client.apps.list({ filter: 'from-project' }))[0]?.authMode, 'shared');
    assert.equal(
      (await failure(client.deploy('from-project', { cwd: project, auth: 'public' }))).code,
      'invalid_argument',
    );
    assert.equal((await failure(client.deploy('no-such-app', { cwd: project }))).code, 'pyproject_invalid');

    const single = join(folder, 'single');
    await mkdir(single);
    await writeFile(
      join(single, 'only.py'),
      withFiles.replaceAll('WithFiles', 'OnlyOne').replace('    app_files = ["data"]\n', ''),
    );
    assert.equal((await client.deploy(undefined, { cwd: single })).appName, 'only-one');
  });

  it('runs a function with arguments, and tells its logs, its errors and its results that are no JSON', async () => {
    await file(
      'functions.py',
      `import fal\n\n@fal.function(machine_type="S")\ndef add(a, b=1):\n    print("adding", a, b)\n    return {"sum": a + b}\n\n` +
        `@fal.function(machine_type="S")\ndef fail():\n    raise KeyError("nobody")\n\n@fal.function(machine_type="S")\ndef odd():\n    return {1, 2}\n`,
    );
    const lines: string[] = [];
    const result = await client.runReference<{ sum: number }>('functions.py::add', {
      cwd: folder,
      args: [40],
      kwargs: { b: 2 },
      onProgress: (progress) =>
        void (progress.type === 'log' && progress.log.source === 'user' && lines.push(progress.log.message)),
    });
    assert.deepEqual(result, { sum: 42 });
    const long = 'x'.repeat(300_000);
    assert.equal(
      (await client.runReference<{ sum: string }>('functions.py::add', { cwd: folder, args: [long, '!'] })).sum,
      `${long}!`,
    );
    assert.ok(
      lines.some((line) => line.includes('adding 40 2')),
      lines.join('\n'),
    );
    const raised = await failure(client.runReference('functions.py::fail', { cwd: folder }));
    assert.equal(raised.code, 'function_raised');
    assert.match(raised.message, /KeyError: 'nobody'/);
    assert.equal(raised.details?.['exception'], 'KeyError');
    assert.equal((await failure(client.runReference('functions.py::odd', { cwd: folder }))).code, 'result_not_json');
  });

  it('serves an app until its signal fires', async () => {
    const stop = new AbortController();
    let url = '';
    const running = failure(
      client.runReference('with_files.py', {
        cwd: folder,
        appName: 'passing',
        signal: stop.signal,
        onProgress: (progress) => void (progress.type === 'urls' && (url = progress.urls.run)),
      }),
    );
    await eventually(() => assert.notEqual(url, ''), 60_000);
    await eventually(async () => {
      const id = new URL(url).pathname.replace(/^\/run\//, '');
      const { data } = await client.run<Record<string, number>>(id);
      assert.equal(data['data/empty'], 0);
    }, 30_000);
    stop.abort();
    assert.equal((await running).code, 'cancelled');
  });

  it('names what is wrong with a reference', async () => {
    assert.equal((await failure(client.deploy('nowhere.py', { cwd: folder }))).code, 'file_not_found');
    assert.equal((await failure(client.deploy('app.ts', { cwd: folder }))).code, 'typescript_app');
    assert.equal((await failure(client.deploy(undefined, { cwd: folder }))).code, 'invalid_reference', 'several files');

    const missing = await failure(client.deploy('with_files.py::Nobody', { cwd: folder }));
    assert.equal(missing.code, 'app_not_in_file');
    assert.match(missing.message, /"Nobody"/);
    assert.match(missing.advice ?? '', /"WithFiles"/);
    assert.deepEqual(missing.details?.['candidates'], ['WithFiles']);

    await file(
      'two.py',
      `${withFiles}\n\nclass Second(fal.App):\n    @fal.endpoint("/")\n    def f(self) -> int:\n        return 1\n`,
    );
    const several = await failure(client.deploy('two.py', { cwd: folder }));
    assert.equal(several.code, 'several_apps');
    assert.match(several.message, /"WithFiles", "Second"/);
    await file('none.py', 'x = 1\n');
    assert.equal((await failure(client.deploy('none.py', { cwd: folder }))).code, 'app_not_in_file');
  });

  it("passes on Python's own words about a file that cannot be loaded", async () => {
    await file('syntax.py', 'import fal\n\nclass Broken(fal.App:\n    pass\n');
    const syntax = await failure(client.deploy('syntax.py', { cwd: folder }));
    assert.equal(syntax.code, 'python_syntax_error');
    assert.match(syntax.message, /syntax\.py, line 3: SyntaxError: /);
    assert.equal(syntax.details?.['line'], 3);

    await file('missing.py', 'import fal\nimport surely_not_there\n');
    const absent = await failure(client.deploy('missing.py', { cwd: folder }));
    assert.equal(absent.code, 'python_module_missing');
    assert.match(absent.message, /surely_not_there/);

    const printed: string[] = [];
    await file('raises.py', 'import fal\nprint("on the way")\nraise RuntimeError("not today")\n');
    const raises = await failure(
      client.deploy('raises.py', {
        cwd: folder,
        onProgress: (progress) => void (progress.type === 'output' && printed.push(progress.text)),
      }),
    );
    assert.equal(raises.code, 'app_load_failed');
    assert.match(raises.message, /RuntimeError: not today/);
    assert.match(printed.join(''), /on the way/);
  });

  it('tells a build that fails', async () => {
    await file(
      'unbuildable.py',
      withFiles.replace('    app_files = ["data"]\n', '    requirements = ["surely-not-a-package-of-anybody==9.9"]\n'),
    );
    const logs: string[] = [];
    const failed = await failure(
      client.deploy('unbuildable.py', {
        cwd: folder,
        onProgress: (progress) => void (progress.type === 'log' && logs.push(progress.log.message)),
      }),
    );
    assert.ok(['build_failed', 'rejected'].includes(failed.code ?? ''), `${failed.code}: ${failed.message}`);
    assert.match(logs.join('\n') + failed.message, /surely-not-a-package-of-anybody/);
  });

  it('says so when there is no Python, and prepares one with uv when there is', async () => {
    const variables = await variablesOf(platform);
    await using without = await clientOf(platform, { environment: { ...variables, PATH: join(folder, 'empty') } });
    const nothing = await failure(without.deploy('with_files.py', { cwd: folder }));
    assert.equal(nothing.code, 'python_not_found');
    assert.match(nothing.advice ?? '', /Python/);
    const { bin } = await ensurePythonEnv();
    const tools = join(folder, 'tools');
    await mkdir(tools);
    // A uv that notes how it was called and then is the Python of the tests.
    await writeFile(
      join(tools, 'uv'),
      `#!/bin/sh\necho "$@" > ${join(folder, 'uv-arguments')}\nwhile [ "$1" != python ]; do shift; done\nshift\nexec ${join(bin, 'python')} "$@"\n`,
      { mode: 0o755 },
    );
    await using prepared = await clientOf(platform, { environment: { ...variables, PATH: `${tools}:/usr/bin:/bin` } });
    const seen: DeployProgress[] = [];
    const deployment = await prepared.deploy('with_files.py', {
      cwd: folder,
      appName: 'by-uv',
      onProgress: (progress) => void seen.push(progress),
    });
    assert.equal(deployment.appName, 'by-uv');
    assert.match(await readFile(join(folder, 'uv-arguments'), 'utf8'), /run .*--with fal/);
    assert.ok(seen.some((each) => each.type === 'python' && each.from === 'prepared by uv'));
  });

  it('leaves no process when it is cancelled while the file is loaded or its files are sent', async () => {
    await file('hangs.py', 'import os, time\nprint("pid", os.getpid(), flush=True)\ntime.sleep(600)\n');
    const stop = new AbortController();
    let pid = 0;
    let printed = '';
    const cancelled = await failure(
      client.deploy('hangs.py', {
        cwd: folder,
        signal: stop.signal,
        onProgress: (progress) => {
          if (progress.type !== 'output') return;
          printed += progress.text;
          pid = Number(/pid (\d+)\n/.exec(printed)?.[1] ?? 0);
          if (pid > 0) stop.abort();
        },
      }),
    );
    assert.equal(cancelled.code, 'cancelled');
    assert.ok(pid > 0);
    assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });

    await writeFile(join(folder, 'data/another.bin'), Buffer.alloc(15 * 1024 * 1024, 8));
    const midway = new AbortController();
    const half = await failure(
      client.deploy('with_files.py', {
        cwd: folder,
        signal: midway.signal,
        onProgress: (progress) => void (progress.type === 'upload' && progress.uploadedBytes > 0 && midway.abort()),
      }),
    );
    assert.equal(half.code, 'cancelled');
    await rm(join(folder, 'data/another.bin'));
    const late = await failure(client.deploy('hangs.py', { cwd: folder, timeoutMs: 1500 }));
    assert.equal(late.code, 'timed_out');
  });

  it('does not start Python for options that are refused', async () => {
    for (const options of [
      { message: 'x'.repeat(2049) },
      { annotations: { openapi: 'x' } },
      { annotations: Object.fromEntries(Array.from({ length: 33 }, (_, n) => [`k${n}`, 'v'])) },
      { attach: true, strategy: 'recreate' as const },
    ]) {
      assert.equal(
        (await failure(client.deploy('with_files.py', { cwd: folder, ...options }))).code,
        'invalid_argument',
      );
    }
  });
});
