/**
 * Makes a clone runnable: installs npm packages when they are absent or stale, and sees to it that Node 24 is there.
 *
 * Runs before anything is installed, on whatever Node ≥ 18 the user has, so: plain JavaScript, built-in modules only.
 * Says one line when it has something to do and nothing otherwise.
 *
 * Scripts go on with `exec env node …`, not with a plain `node …`: the shell remembers where it found the first `node`,
 * and would run the user's old one again although the pinned one lies in front of it by then.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const oldestNodeMajor = 24;

/**
 * Why `npm ci` is needed, or undefined when what is installed is what the lockfile asks for. npm writes
 * `node_modules/.package-lock.json` as the last step of an installation, so an interrupted one counts as absent.
 * @param {string} folder the workspace's root.
 * @returns {string | undefined}
 */
export function staleReason(folder) {
  const installedPath = join(folder, 'node_modules', '.package-lock.json');
  if (!existsSync(installedPath)) return 'nothing is installed yet';
  const wanted = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8')).packages;
  const installed = JSON.parse(readFileSync(installedPath, 'utf8')).packages;
  for (const [path, entry] of Object.entries(wanted)) {
    if (!path.startsWith('node_modules/') && !path.includes('/node_modules/')) continue; // the workspace's own folders
    const found = installed[path];
    if (found === undefined) {
      if (entry.optional) continue; // for another platform
      return `${path} is missing`;
    }
    if (found.version !== entry.version || found.integrity !== entry.integrity) return `${path} is outdated`;
  }
  return undefined;
}

/**
 * @param {string} folder
 * @param {string} reason
 */
function install(folder, reason) {
  process.stderr.write(`lanner: installing npm packages (${reason}) …\n`);
  // npm must not run on the Node below node_modules: `npm ci` deletes that folder first.
  const path = (process.env.PATH ?? '')
    .split(delimiter)
    .filter((entry) => !/node_modules[\\/]\.bin[\\/]?$/.test(entry));
  const { status, error } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: folder,
    env: { ...process.env, PATH: path.join(delimiter) },
    stdio: ['ignore', process.stderr, process.stderr],
  });
  if (error) fail(`npm could not be started (${error.message}). Install Node.js with npm, then try again.`);
  if (status !== 0)
    fail(`\`npm ci\` ended with status ${status}; its output is above. Is the package registry reachable?`);
}

/**
 * Major version of the Node at `path`, or 0 when it does not run here (other platform, other libc).
 * @param {string} path
 */
function nodeMajorAt(path) {
  const { stdout, status } = spawnSync(path, ['--version'], { encoding: 'utf8' });
  return status === 0 ? Number(/^v(\d+)/.exec(stdout)?.[1] ?? 0) : 0;
}

/** @param {string} folder */
function checkNode(folder) {
  const pinned = join(folder, 'node_modules', '.bin', 'node');
  if (existsSync(pinned)) {
    if (nodeMajorAt(pinned) >= oldestNodeMajor) return;
    rmSync(pinned); // built for another libc: out of the way of the user's own
  }
  if (Number(process.versions.node.split('.')[0]) >= oldestNodeMajor) return;
  fail(
    `Lanner needs Node.js ${oldestNodeMajor} or newer; this is ${process.version}. It brings its own on Linux with glibc (x64, arm64). ` +
      `Elsewhere install it from https://nodejs.org or with your package manager, then try again.`,
  );
}

/**
 * @param {string} message
 * @returns {never}
 */
function fail(message) {
  process.stderr.write(`lanner: ${message}\n`);
  process.exit(1);
}

function main() {
  const reason = staleReason(root);
  if (reason !== undefined) install(root, reason);
  checkNode(root);
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) main();
