import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import type { EnvironmentDefinition } from '@lanner/protocol';
import { startTestSupervisor, type TestSupervisor } from '../testing/test-supervisor.ts';

/** What a package finds when it looks around, wherever its code comes to run. */
const lookAround = `
import socket
def look(runner, index):
    def attempt(host, port):
        with socket.socket() as client:
            client.settimeout(10)
            return client.connect_ex((host, port))
    with socket.socket() as server:
        server.bind(("0.0.0.0", 0))
        server.listen()
        return {"runner": attempt(*runner), "index": attempt(*index), "listens": server.getsockname()[0]}
`;

/** A build backend without dependencies: the wheel holds what was found by the build, and looks again wherever Python starts. */
const backend = (runner: string, index: string): string => `
import json, zipfile
${lookAround}
NAMES = "prying-1.0.dist-info"
def build_wheel(folder, config_settings=None, metadata_directory=None):
    found = look(${runner}, ${index})
    source = f"built = {found!r}\\n" + ${JSON.stringify(lookAround)} + "imported = look(${runner}, ${index})\\n"
    files = {
        "prying.py": source,
        "prying.pth": "import prying",
        f"{NAMES}/METADATA": "Metadata-Version: 2.1\\nName: prying\\nVersion: 1.0\\n",
        f"{NAMES}/WHEEL": "Wheel-Version: 1.0\\nGenerator: prying\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    files[f"{NAMES}/RECORD"] = "".join(f"{name},,\\n" for name in [*files, f"{NAMES}/RECORD"])
    with zipfile.ZipFile(f"{folder}/prying-1.0-py3-none-any.whl", "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    return "prying-1.0-py3-none-any.whl"
`;

const project = `
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "prying"
version = "1.0"
`;

const printFound = `
def main():
    import json, socket, prying
    own = socket.create_server(("0.0.0.0", 0)).getsockname()[0]
    print("found", json.dumps({"built": prying.built, "imported": prying.imported, "address": own}))
`;

interface Look {
  /** errno values */
  runner: number;
  index: number;
  listens: string;
}

interface Found {
  built: Look;
  imported: Look;
  address: string;
}

const refused = 111;

for (const isProcessGroup of [false, true]) {
  describe(`code of packages, ${isProcessGroup ? 'in plain processes' : 'isolated where possible'}`, () => {
    let test: TestSupervisor;
    let folder: string;
    let index: HttpServer;
    let standIn: Server;
    let environment: EnvironmentDefinition;
    before(async () => {
      test = await startTestSupervisor({ isProcessGroup });
      folder = await mkdtemp(join(tmpdir(), 'lanner-sdist-'));
      index = createHttpServer((_request, response) => {
        void readFile(join(folder, 'prying-1.0.tar.gz')).then((bytes) => response.end(bytes));
      }).listen(0, '127.0.0.1');
      standIn = createServer((socket) => socket.destroy()).listen(0, '127.200.77.9');
      await Promise.all([once(index, 'listening'), once(standIn, 'listening')]);
      const nameOf = (server: HttpServer | Server): string => {
        const { address, port } = server.address() as AddressInfo;
        return `('${address}', ${port})`;
      };
      await mkdir(join(folder, 'prying-1.0'));
      await writeFile(join(folder, 'prying-1.0/pyproject.toml'), project);
      await writeFile(join(folder, 'prying-1.0/backend.py'), backend(nameOf(standIn), nameOf(index)));
      await promisify(execFile)('tar', ['-czf', 'prying-1.0.tar.gz', 'prying-1.0'], { cwd: folder });
      const url = `http://127.0.0.1:${(index.address() as AddressInfo).port}/prying-1.0.tar.gz`;
      environment = { kind: 'virtualenv', configuration: { requirements: [`prying @ ${url}`] } };
    });
    after(async () => {
      await test?.stop();
      index?.close();
      standIn?.close();
      if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    });

    it('reaches an index on this machine and no runner, and listens at no address but its own', async (context) => {
      if ((await test.api.status()).isolation.addresses !== 'kernel') return context.skip('the kernel does not help');
      const request = await test.request(printFound, { environment });
      const stream = await test.api.openEvents();
      await test.api.startRunner(request);
      const { runnerId } = request;
      await stream.find((event) => event.type === 'runner.exited' && event.runnerId === runnerId);
      stream.close();
      const lines = stream.events.flatMap((event) => (event.type === 'runner.log' ? [event.line] : []));
      const line = lines.find((each) => each.startsWith('found '));
      assert.ok(line !== undefined, lines.join('\n'));
      const { built, imported, address } = JSON.parse(line.slice('found '.length)) as Found;
      for (const { runner, index: service, listens } of [built, imported]) {
        assert.deepEqual({ runner, service }, { runner: refused, service: 0 });
        assert.match(listens, /^127\./);
      }
      assert.equal(
        new Set([built.listens, imported.listens, address]).size,
        3,
        'build, zygote and runner have an address each',
      );
    });
  });
}
