/**
 * Run it after a dependency was added or updated: `node scripts/complete-lockfile.ts`.
 *
 * A registry mirror may hold the binaries of some platforms only. npm then writes a lockfile without the others, and
 * `npm ci` refuses that lockfile everywhere ("Missing: … from lock file"). This adds what is missing: versions are exact
 * in the package that asks for them, platforms are in the names. Such entries have no integrity of their own; those for
 * the platforms that the mirror does hold keep theirs.
 */
import { readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

interface LockEntry {
  version?: string;
  dev?: boolean;
  optional?: boolean;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  optionalDependencies?: Record<string, string>;
}

export interface Lockfile {
  packages: Record<string, LockEntry>;
}

const systems = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];
/** Spelling in package names → npm's name of the processor. */
const processors: Record<string, string> = {
  arm: 'arm',
  armv7: 'arm',
  arm64: 'arm64',
  aarch64: 'arm64',
  ia32: 'ia32',
  loong64: 'loong64',
  mips64el: 'mips64el',
  ppc64: 'ppc64',
  ppc64le: 'ppc64',
  riscv64: 'riscv64',
  s390x: 's390x',
  wasm32: 'wasm32',
  x64: 'x64',
};

const libcs: Record<string, string> = { gnu: 'glibc', gnueabihf: 'glibc', musl: 'musl', musleabihf: 'musl' };

/** Adds the missing platform packages to a lockfile. @returns their paths in it. */
export function completeLockfile(lockfile: Lockfile): string[] {
  const added: string[] = [];
  for (const [path, entry] of Object.entries(lockfile.packages)) {
    if (!path.includes('node_modules/')) continue; // our own packages: npm knows what it left out there
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      if (Object.keys(lockfile.packages).some((known) => `/${known}`.endsWith(`/node_modules/${name}`))) continue;
      const platform = platformOf(name);
      if (platform === undefined || !/^\d+\.\d+\.\d+/.test(version)) continue;
      const target = `node_modules/${name}`;
      lockfile.packages[target] = { version, ...(entry.dev ? { dev: true } : {}), optional: true, ...platform };
      added.push(target);
    }
  }
  if (added.length > 0)
    lockfile.packages = Object.fromEntries(
      Object.entries(lockfile.packages).sort(([a], [b]) => a.localeCompare(b, 'en')),
    );
  return added;
}

function platformOf(name: string): Pick<LockEntry, 'os' | 'cpu' | 'libc'> | undefined {
  const words = name.split(/[-/]/);
  const os = words.filter((word) => systems.includes(word));
  const cpu = words.flatMap((word) => processors[word] ?? []).slice(0, 1);
  if (os.length === 0 && cpu.length === 0) return undefined;
  const libc = words.flatMap((word) => libcs[word] ?? []);
  return { ...(cpu.length ? { cpu } : {}), ...(libc.length ? { libc } : {}), ...(os.length ? { os } : {}) };
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const path = join(dirname(import.meta.dirname), 'package-lock.json');
  const lockfile = JSON.parse(readFileSync(path, 'utf8')) as Lockfile;
  const added = completeLockfile(lockfile);
  if (added.length > 0) writeFileSync(path, `${JSON.stringify(lockfile, null, 2)}\n`);
  process.stdout.write(
    `package-lock.json: ${added.length === 0 ? 'complete' : `added ${added.length} packages of other platforms`}\n`,
  );
}
