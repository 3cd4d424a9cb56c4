import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** A program that stands for micromamba or conda where no channel can be reached. */
export interface CondaStandIn {
  /** Absolute. */
  path: string;
  /** Holds it alone, for PATH. */
  folder: string;
  /** Python it installs, e.g. `3.11.7`. */
  pythonVersion: string;
  remove(): Promise<void>;
}

/**
 * Writes it: micromamba as one file like the real one, conda in a prefix. It insists on the command line that the builder uses, prints
 * the environment file, and makes a prefix that has its own interpreter (a copy of `pythonPath`'s, which the file carries) and the
 * package `pyjokes`, if that is listed, compiled. `no-such-package` fails as the real one does.
 */
export async function writeCondaStandIn(name: 'micromamba' | 'conda', pythonPath: string): Promise<CondaStandIn> {
  const prefix = await mkdtemp(join(tmpdir(), `lanner-${name}-`));
  await chmod(prefix, 0o755);
  const payload = join(prefix, 'payload.tar');
  const { stdout } = await promisify(execFile)(pythonPath, ['-I', '-c', packPython, payload]);
  const pythonVersion = stdout.trim();
  const folder = join(prefix, 'bin');
  await mkdir(folder);
  if (name === 'conda') await mkdir(join(prefix, 'conda-meta'));
  const path = join(folder, name);
  const script = (start: number): string =>
    (name === 'conda' ? condaStart : micromambaStart)
      .concat(standIn)
      .replaceAll('%VERSION%', pythonVersion)
      .replace('%START%', String(start).padStart(6, '0'));
  await writeFile(path, script(script(0).length + 1));
  await promisify(execFile)('/bin/sh', ['-c', 'cat "$0" >> "$1" && rm "$0"', payload, path]);
  await chmod(path, 0o755);
  return { path, folder, pythonVersion, remove: () => rm(prefix, { recursive: true, force: true }) };
}

/**
 * Packs an interpreter and its standard library the way they lie in a prefix. Prints its version. Where it is made of a shared
 * library, the place of that is written into it, as conda does.
 */
const packPython = `
import io, os, platform, sys, sysconfig, tarfile
short = f"python{sys.version_info[0]}.{sys.version_info[1]}"
left_out = {"site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3"}
def wanted(entry):
    name = os.path.basename(entry.name)
    return None if name in left_out or name.startswith("config-") else entry
with tarfile.open(sys.argv[1], "w", dereference=True) as tar:
    program = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    with open(program, "rb") as file:
        code = file.read()
    folder = sysconfig.get_config_var("LIBDIR") or ""
    library = os.path.join(folder, sysconfig.get_config_var("INSTSONAME") or "none")
    if ".so" in library and os.path.exists(library):
        tar.add(library, f"lib/{os.path.basename(library)}")
        code = code.replace(folder.encode() + b"\\0", b"$ORIGIN/../lib".ljust(len(folder) + 1, b"\\0"))
    entry = tar.gettarinfo(program, f"bin/{short}")
    entry.size = len(code)
    tar.addfile(entry, io.BytesIO(code))
    tar.add(sysconfig.get_path("stdlib"), f"lib/{short}", filter=wanted)
print(platform.python_version())
`;

const micromambaStart = `#!/bin/sh
set -e
fail() { echo "$1" >&2; exit "\${2:-2}"; }
[ "$*" != --version ] || { echo 2.0.5; exit 0; }
[ $# = 9 ] && [ "$1 $2 $3 $4 $6 $8" = 'create --yes --no-rc --root-prefix --prefix --file' ] || fail "unexpected command line: $*"
root=$5 prefix=$7 file=$9
[ "$CONDA_PKGS_DIRS" = "$root/pkgs" ] || fail "unexpected CONDA_PKGS_DIRS: $CONDA_PKGS_DIRS"
! grep -q nodefaults "$file" || fail 'micromamba takes nodefaults for a channel'
`;

const condaStart = `#!/bin/sh
set -e
fail() { echo "$1" >&2; exit "\${2:-2}"; }
[ "$*" != --version ] || { echo conda 24.1.0; exit 0; }
[ $# = 9 ] && [ "$1 $2 $3 $4 $5 $6 $8" = 'env create --yes --quiet --no-default-packages --prefix --file' ] || fail "unexpected command line: $*"
prefix=$7 file=$9
[ -d "$(dirname "$0")/../conda-meta" ] || fail 'conda cannot see its own installation'
grep -q nodefaults "$file" || fail 'conda would add its own channels'
`;

const standIn = `version=%VERSION%
[ ! -e "$prefix" ] || fail "the prefix exists: $prefix"
case $file in *.yml) ;; *) fail "no YAML file: $file" ;; esac
cat "$file"
case $CONDA_CHANNEL_ALIAS in file://*) echo "mirror: $(ls "\${CONDA_CHANNEL_ALIAS#file://}")" ;; esac
! grep -q '"no-such-package"' "$file" || fail 'error    libmamba Could not solve for environment specs
    no-such-package does not exist in the configured channels' 1
mkdir -p "$CONDA_PKGS_DIRS" "$prefix/conda-meta"
tail -c +%START% "$0" | tar -x -C "$prefix"
short=python\${version%.*}
ln -s "$short" "$prefix/bin/python"
packages=$prefix/lib/$short/site-packages
mkdir "$packages"
: > "$prefix/conda-meta/python-$version-h955ad1f_0_cpython.json"
! grep -q '"pyjokes"' "$file" || printf 'def get_joke():\\n    return "a joke from conda"\\n' > "$packages/pyjokes.py"
"$prefix/bin/python" -I -m compileall -q "$packages"
echo 'Transaction finished'
exit
`;
