/** The same words to `fal` and to `lanner`, against one platform: what a person sees, exit codes, JSON to the byte. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { ensurePythonEnv } from '../../scripts/python-env.ts';
import { startPlatform, type CommandResult, type Platform } from './platform.ts';

const app = `import fal

class Compared(fal.App, keep_alive=300, min_concurrency=1, max_concurrency=3):
    machine_type = "S"
    requirements = []

    @fal.endpoint("/")
    def add(self, request: dict) -> dict:
        return {"sum": request["a"] + "!"}
`;

let platform: Platform;
let folder: string;
let official: { child: ChildProcessWithoutNullStreams; call(argv: string[], stdin?: string): Promise<CommandResult> };

before(async () => {
  platform = await startPlatform();
  folder = await mkdtemp(join(tmpdir(), 'lanner-compare-'));
  await writeFile(join(folder, 'app.py'), app);
  official = await startOfficial();
});
after(async () => {
  official?.child.stdin.end();
  await platform?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** A shell that is wide enough for every table, as `lanner env` sets it up. */
const shell = (): NodeJS.ProcessEnv => ({
  ...platform.variables,
  COLUMNS: '400',
  FAL_CONFIG_PATH: join(folder, 'config.toml'),
});

async function startOfficial(): Promise<typeof official> {
  const { python } = await ensurePythonEnv();
  const env = { PATH: process.env['PATH'], HOME: folder, NO_COLOR: '1', ...shell() };
  const child = spawn(python, [join(import.meta.dirname, 'fal_commands.py')], { env, cwd: folder });
  child.stderr.resume();
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let line: Promise<unknown> = Promise.resolve();
  const call = (argv: string[], stdin = ''): Promise<CommandResult> => {
    const answer = line.then(async () => {
      child.stdin.write(`${JSON.stringify({ argv, stdin })}\n`);
      const { value } = await answers.next();
      return JSON.parse(String(value)) as CommandResult;
    });
    line = answer.catch(() => undefined);
    return answer;
  };
  return { child, call };
}

const ours = (argv: string[], stdin = ''): Promise<CommandResult> =>
  platform.lanner(argv, { env: shell(), cwd: folder, input: stdin });

/** What of both outputs has to be the same. */
function seen({ stdout, stderr }: CommandResult): string {
  return (
    oneHeadLine(stripVTControlCharacters(stdout + stderr))
      .split('\n')
      // Boxes are there for people; how wide they are follows from what is in them.
      .filter((line) => !/^[┏┡└━╇┩┳┓┻┴┘─┴ ]*$/.test(line))
      .map((line) => line.replaceAll(/[┃│]/g, '|').replaceAll(/\s+/g, ' ').trim())
      .join(' ')
      .replace(/(✘|error:) /, '')
      .replaceAll(/\d+:\d\d:\d\d \(\d+s\)/g, 'UPTIME')
      .replaceAll(/\b\d+s\b/g, 'SECONDS')
      .replaceAll(/\[\d\d:\d\d:\d\d\] | \w+\.py:\d+/g, '')
      .replaceAll(/\bfal\b/g, 'lanner')
      .replaceAll('`', '')
      .replaceAll(/\s+/g, ' ')
      .trim()
  );
}

/** A title that fal breaks over two lines, on one. */
function oneHeadLine(text: string): string {
  return text.replaceAll(/┃(.*)┃\n┃(.*)┃/g, (_, above: string, below: string) => {
    const titles = above.split('┃').map((part, index) => `${part} ${below.split('┃')[index]}`);
    return `┃${titles.join('┃')}┃`;
  });
}

/** Runs commands that change nothing, a few at a time. */
async function compareAll(commands: readonly string[]): Promise<void> {
  for (let at = 0; at < commands.length; at += 3)
    await Promise.all(commands.slice(at, at + 3).map((words) => compare(words)));
}

/** Runs both and compares; `differs` names what ours has to say where it is another sentence on purpose. */
async function compare(words: string, how: { stdin?: string; differs?: RegExp; usage?: boolean } = {}): Promise<void> {
  const argv = words === '' ? [] : words.split(' ');
  const [theirs, mine] = await Promise.all([official.call(argv, how.stdin), ours(argv, how.stdin)]);
  assert.equal(mine.code, theirs.code, `exit code of ${words}\n${seen(theirs)}\n${seen(mine)}`);
  if (how.usage) {
    assert.match(mine.stderr, how.differs ?? /./, words);
    assert.equal(mine.stdout, '', words);
  } else if (how.differs) assert.match(seen(mine), how.differs, words);
  else if (/--json|--output json/.test(words)) assert.equal(stable(mine.stdout), stable(theirs.stdout), words);
  else assert.equal(seen(mine), seen(theirs), words);
}

/** A line of JSON without what moves between two calls. */
const stable = (text: string): string =>
  text.trim().replaceAll(/"(uptime_seconds|expiration_countdown)": \d+/g, '"$1": N');

describe('lanner beside fal', () => {
  test('deploys, and prints the same lines', async () => {
    const first = await platform.lanner(['deploy', 'app.py'], { env: shell(), cwd: folder });
    assert.equal(first.code, 0, first.stdout + first.stderr);
    assert.match(first.stderr, /first deployment of compared/);
    const second = await platform.fal(['deploy', 'app.py::Compared'], { env: shell(), cwd: folder });
    assert.equal(second.code, 0, second.stdout + second.stderr);
    const panel = (text: string): string => text.slice(text.indexOf('✓ Deployed successfully'));
    assert.deepEqual(
      panel(first.stdout).split('\n').filter(isText),
      panel(second.stdout.split('\nNote:')[0]!).split('\n').filter(isText),
    );
  });

  test('lists apps, revisions and runners', async () => {
    await compareAll([
      'apps list',
      'app list --filter compa --sort-by-runners',
      'apps list --filter nothing',
      'apps list --json',
      'apps list --env main --output json',
      'apps list-rev compared',
      'apps runners compared',
      'apps runners compared --json',
      'apps runners compared --state running pending',
      'runners list',
      'machine list --state all --json',
      'runners list --since 1h --state idle --json',
      'runners gpus',
      'runners gpus --json',
    ]);
  });

  test('scales, points and rolls out', async () => {
    for (const words of [
      'apps scale compared --keep-alive 120 --max-conc 4 --regions us-east eu-west',
      'apps list --regions eu-west',
      'apps scale compared --concurrency-buffer 1 --concurrency-buffer-perc 50',
      'apps scale compared --request-start-timeout 30',
      'apps scale compared --request-start-timeout 0',
      'apps scale compared',
      'apps scale nope --keep-alive 1',
      'apps rollout nope',
      'apps set-rev compared nope',
      'apps delete nope',
      'apps delete-rev nope',
    ])
      await compare(words);
    await compare('apps scale compared --max-multiplexing 2', {
      differs: /Note: max_multiplexing will be reset on the next deployment\.$/,
    });
    const revisions = await ours(['apps', 'list-rev', 'compared', '--json']);
    const [oldest] = (JSON.parse(revisions.stdout) as { revisions: { application_id: string }[] }).revisions;
    await compare(`apps set-rev compared ${oldest!.application_id} --auth shared --strategy recreate`);
  });

  test('keeps keys, secrets and environments', async () => {
    for (const words of [
      'environments create staging --description trying',
      'secrets set TOKEN=a=b OTHER=c',
      'secret set HIDDEN=x --not-exposed-by-default --env staging',
    ]) {
      const { code, stdout, stderr } = await ours(words.split(' '));
      assert.equal(code, 0, stderr);
      assert.equal(stdout, words.startsWith('env') ? "Created environment 'staging'\n" : '');
    }
    await compareAll([
      'environments create staging',
      'environments list',
      'envs list --json',
      'secrets list',
      'secrets list --json',
      'secrets list --env staging --json',
      'secrets list --env nope',
      'secrets unset NOPE',
      'apps list --env staging',
      'keys list',
      'key list --json',
      'keys revoke nope',
      'environments delete nope --yes',
    ]);
    await compare('keys create --permission ,', { differs: /^--permission needs at least one permission name\./ });
    await compare('environments delete staging', {
      stdin: 'other\n',
      differs: /Deletion cancelled\. Environment name did not match\.$/,
    });
    await compare('keys create', {
      differs: /^Picking a key preset requires interactive input\. Re-run with --preset/,
    });
    const made = await ours(['keys', 'create', '--preset', 'API', '--alias', 'made here']);
    assert.match(made.stdout, /^FAL_KEY='[\w-]+:[\w-]+'\n$/);
    assert.match(made.stderr, /^Generated key id and key secret, with `API`\.\n/);
    await compare('keys list');
    const removed = await ours(['environments', 'delete', 'staging'], 'staging\n');
    assert.equal(removed.stdout, "Deleted environment 'staging'\n");
  });

  test('looks at queues and logs', async () => {
    const { stdout } = await ours(['runners', 'list', '--since', '1h', '--json']);
    const { runners } = JSON.parse(stdout) as { runners: { runner_id: string; state: string }[] };
    const ended = runners.find(({ state }) => state === 'TERMINATED')!.runner_id;
    await compareAll([
      'queue size compared',
      'queue size compared --by-user --json',
      'queue size nope',
      'queue flush compared',
      'queue flush nope --caller-user-id x',
      // fal takes the [debug] of another line for markup and swallows it, in JSON too.
      `runners logs ${ended} --search startup --json`,
      `runners logs ${ended} --search nothing-like-it --json`,
      'runners stop nope',
      'runners kill nope',
      'auth whoami',
    ]);
    await compare('runners logs nope', { differs: /^Runner nope not found/ });
    await compare('apps gpus nope', { differs: /"nope"/ });
    await compare(`runners logs ${ended} -n x`, { usage: true, differs: /Use an integer or \+integer/ });
    // The official renderer pads and colours each line; the words are the same.
    const [theirs, mine] = await Promise.all([
      official.call(['runners', 'log', ended, '--search', 'startup']),
      ours(['runners', 'log', ended, '--search', 'startup']),
    ]);
    assert.equal(seen(mine), seen(theirs));
  });

  test('runs commands in runners, with their output and exit code', async () => {
    const { stdout } = await ours(['apps', 'runners', 'compared', '--json']);
    const [runner] = (JSON.parse(stdout) as { runners: { runner_id: string }[] }).runners;
    const words = ['runners', 'exec', runner!.runner_id, '-it', '--', 'sh', '-c', 'cat; echo err >&2; exit 7'];
    const both = await Promise.all([
      ours(words, 'some input\n'),
      platform.fal(words, { env: shell(), cwd: folder, input: 'some input\n' }),
    ]);
    for (const result of both) assert.deepEqual(result, { code: 7, stdout: 'some input\n', stderr: 'err\n' });
    const unknown = await ours(['runners', 'exec', 'nope', 'ls']);
    assert.match(unknown.stderr, /^error: Runner "nope" not found/);
    assert.equal(unknown.code, 1);
  });

  test('keeps files', async () => {
    assert.equal((await ours(['files', 'upload', 'app.py', 'code/'])).code, 0);
    assert.equal((await official.call(['files', 'upload', 'app.py', 'other.py'])).code, 0);
    await compareAll([
      'files list',
      'file ls .',
      'files list code',
      'files list nope',
      'files rm nope',
      'files mv nope x',
    ]);
    assert.equal((await ours(['files', 'download', 'other.py', 'copy.py'])).code, 0);
    assert.equal(await readFile(join(folder, 'copy.py'), 'utf8'), app);
    assert.equal((await ours(['files', 'rm', 'code'])).code, 0);
    await compare('files ls');
  });

  test('keeps profiles in the same file', async () => {
    for (const words of ['profile list', 'profiles delete nope']) await compare(words);
    assert.equal((await ours(['profile', 'create', 'prod'])).code, 0);
    assert.equal((await ours(['profile', 'host', 'api.example.com'])).code, 0);
    assert.equal((await ours(['profile', 'key'], 'no-colon\nid:secret\n')).code, 0);
    for (const words of [
      'profile list',
      'profile list --json',
      'profile create prod',
      'profile set prod',
      'profile unset',
      'profile list --json',
    ])
      await compare(words);
    await compare('profile key', { differs: /^No profile set\. Use lanner profile set/ });
    assert.equal((await official.call(['profile', 'delete', 'prod'])).code, 0);
    assert.equal((await ours(['profile', 'list', '--json'])).stdout, '{"profiles": []}\n');
  });

  test('calls apps; the result is JSON, where fal prints Python', async () => {
    const { code, stdout } = await ours(['api', `${platform.owner}/compared`, 'a=hi']);
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(stdout), { sum: 'hi!' });
    const theirs = await official.call(['api', `${platform.owner}/compared`, 'a=hi']);
    assert.match(theirs.stdout, /\{'sum': 'hi!'\}/);
  });

  test('refuses wrong words with exit code 2 on standard error', async () => {
    const wrong = [
      ['', /Usage: lanner/],
      ['apps', /Usage: lanner apps/],
      ['nope', /unknown command 'nope'/],
      ['apps scale', /app_name/],
      ['apps scale compared --keep-alive x', /invalid int value: 'x'/],
      ['apps list --regions mars', /us-central/],
      ['apps runners compared --since 2d', /older than the allowed limit/],
      ['apps scale compared --max 1', /could match --max-multiplexing, --max-concurrency/],
      ['keys create --preset API --scope API', /--scope/],
      ['secrets set WORD', /NAME=VALUE/],
      ['deploy app.py --auth nope', /private, public, shared/],
      ['deploy app.py --attach --detach', /--detach/],
      ['run app.py --local --exposed-port x', /x is not a valid port/],
      ['runners exec id', /command/i],
      ['completion powershell', /bash, zsh, fish/],
    ] as const;
    for (let at = 0; at < wrong.length; at += 3) {
      const some = wrong.slice(at, at + 3);
      await Promise.all(some.map(([words, says]) => compare(words, { usage: true, differs: says })));
    }
  });
});

const isText = (line: string): boolean => !/^[─ ]*$/.test(line) && !/^─+ compared ─+$/.test(line);
