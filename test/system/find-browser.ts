/** A Chromium for tests: the one that `CHROMIUM` names, one on PATH, or the pinned one that npm brings (Linux on x64). */
import { spawn, execFile, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { toolOrReason } from '../../scripts/tool-env.ts';

const run = promisify(execFile);

interface Browser {
  path: string;
  /** Libraries that the pinned one brings, for systems without them. */
  libraries?: string;
}

/** The browser, or why there is none. */
export async function findBrowser(): Promise<Browser | { reason: string }> {
  const named = process.env['CHROMIUM'];
  if (named) return { path: named };
  for (const name of ['chromium', 'chromium-browser', 'google-chrome', 'chrome-headless-shell']) {
    const found = await run('which', [name]).catch(() => undefined);
    if (found) return { path: found.stdout.trim() };
  }
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return { reason: 'no Chromium is on PATH; name one with CHROMIUM' };
  }
  const tool = await toolOrReason('browser');
  if ('reason' in tool) return tool;
  const { path, libraries } = await unpack(tool.folder);
  const starts = await run(path, ['--version']).then(
    () => true,
    () => false,
  );
  return starts ? { path } : { path, libraries };
}

/** The package holds it compressed and unpacks it into the temporary folder it is told. */
async function unpack(folder: string): Promise<Required<Browser>> {
  const target = join(folder, 'unpacked');
  const browser = { path: join(target, 'chromium'), libraries: join(target, 'al2023', 'lib') };
  if (existsSync(join(target, '.complete'))) return browser;
  await mkdir(target, { recursive: true });
  const script =
    `const { default: chromium } = await import('@sparticuz/chromium'); await chromium.executablePath();` +
    `(await import('node:fs')).writeFileSync(${JSON.stringify(join(target, '.complete'))}, '');`;
  await run(process.execPath, ['--input-type=module', '-e', script], {
    cwd: folder,
    env: { ...process.env, TMPDIR: target, AWS_LAMBDA_JS_RUNTIME: 'nodejs22.x' },
  });
  return browser;
}

/** A headless browser on a page; certificates of tests count as trusted. */
export async function openPage(browser: Browser, url: string): Promise<AsyncDisposable & { output(): string }> {
  const profile = await mkdtemp(join(tmpdir(), 'lanner-browser-'));
  const child: ChildProcess = spawn(
    browser.path,
    [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--no-first-run',
      '--ignore-certificate-errors',
      '--enable-logging=stderr',
      `--user-data-dir=${profile}`,
      url,
    ],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...(browser.libraries ? { LD_LIBRARY_PATH: browser.libraries } : {}) },
    },
  );
  let output = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(-20_000)));
  child.on('error', (error) => (output += String(error)));
  const ended = new Promise<void>((done) => child.once('close', () => done()));
  return {
    output: () => output,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
