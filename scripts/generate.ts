/**
 * Writes everything that is generated and committed: the TypeScript of `proto/`, `docs/errors.md` and `docs/cli.md`. Needs no network.
 *
 * `node scripts/generate.ts --check` writes nothing, names the files that differ, and ends with status 1 if there are any.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';

import { renderCliDoc } from './generate-cli-doc.ts';
import { renderErrorsDoc } from './generate-errors-doc.ts';

const root = dirname(import.meta.dirname);
const messagesFolder = 'packages/protocol/src/gen';
const errorsDoc = 'docs/errors.md';
const cliDoc = 'docs/cli.md';

if (process.argv.includes('--check')) await check();
else await generate(root);

/** Writes the generated files below `target`, at the places they have in the repository. */
async function generate(target: string): Promise<void> {
  rmSync(join(target, messagesFolder), { recursive: true, force: true });
  const bin = join(root, 'node_modules', '.bin');
  execFileSync(join(bin, 'buf'), ['generate', '--output', target], {
    cwd: root,
    env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  mkdirSync(dirname(join(target, errorsDoc)), { recursive: true });
  writeFileSync(join(target, errorsDoc), renderErrorsDoc());
  writeFileSync(join(target, cliDoc), await renderCliDoc());
}

async function check(): Promise<void> {
  const fresh = mkdtempSync(join(tmpdir(), 'lanner-generate-'));
  try {
    await generate(fresh);
    const paths = new Set(
      [fresh, root].flatMap((base) => [
        errorsDoc,
        cliDoc,
        ...list(join(base, messagesFolder)).map((name) => join(messagesFolder, name)),
      ]),
    );
    const stale = [...paths].filter((path) => read(join(fresh, path)) !== read(join(root, path))).sort();
    if (stale.length === 0) return;
    process.stderr.write(
      `Generated files are not fresh; run \`npm run generate\` and commit:\n${stale.map((path) => `  ${path}\n`).join('')}`,
    );
    process.exitCode = 1;
  } finally {
    rmSync(fresh, { recursive: true });
  }
}

function list(folder: string): string[] {
  return readdirSync(folder, { recursive: true }).map(String);
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
