import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** A source distribution that this machine serves. */
export interface ServedSdist {
  /** A line of a requirements file. */
  requirement: string;
  /** Where it is served. */
  address: { host: string; port: number };
  stop(): Promise<void>;
}

/** Writes a wheel with what the package's own part made: `write_wheel(folder, {file: text})` returns its name. */
const writeWheel = (name: string): string => `
import zipfile
def write_wheel(folder, files):
    info = "${name}-1.0.dist-info"
    files = {
        **files,
        f"{info}/METADATA": "Metadata-Version: 2.1\\nName: ${name}\\nVersion: 1.0\\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\\nGenerator: ${name}\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{file},,\\n" for file in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(f"{folder}/${name}-1.0-py3-none-any.whl", "w") as wheel:
        for file, text in files.items():
            wheel.writestr(file, text)
    return "${name}-1.0-py3-none-any.whl"
`;

/**
 * Serves a source distribution whose build needs no other package.
 * @param makeBackend Python source with `build_wheel(folder, config_settings=None, metadata_directory=None)`, which may call
 *   `write_wheel`; made once the address is known.
 */
export async function serveSdist(
  name: string,
  makeBackend: (address: { host: string; port: number }) => string,
): Promise<ServedSdist> {
  const folder = await mkdtemp(join(tmpdir(), 'lanner-sdist-'));
  const archive = `${name}-1.0.tar.gz`;
  const server = createServer((_request, response) => {
    void readFile(join(folder, archive)).then((bytes) => response.end(bytes));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
  const project = `[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n[project]\nname = "${name}"\nversion = "1.0"\n`;
  await mkdir(join(folder, `${name}-1.0`));
  await writeFile(join(folder, `${name}-1.0/pyproject.toml`), project);
  await writeFile(join(folder, `${name}-1.0/backend.py`), `${writeWheel(name)}\n${makeBackend(address)}`);
  await promisify(execFile)('tar', ['-czf', archive, `${name}-1.0`], { cwd: folder });
  return {
    requirement: `${name} @ http://${address.host}:${address.port}/${archive}`,
    address,
    async stop() {
      server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
