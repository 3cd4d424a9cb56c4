import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { after, before, describe, it } from 'node:test';
import type { EnvironmentDefinition } from '@lanner/protocol';
import { serveSdist, type ServedSdist } from '../testing/serve-sdist.ts';
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

/** The wheel holds what was found by the build, and looks again wherever Python starts. */
const backend = (runner: string, index: string): string => `
${lookAround}
def build_wheel(folder, config_settings=None, metadata_directory=None):
    found = look(${runner}, ${index})
    source = f"built = {found!r}\\n" + ${JSON.stringify(lookAround)} + "imported = look(${runner}, ${index})\\n"
    return write_wheel(folder, {"prying.py": source, "prying.pth": "import prying"})
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
    let sdist: ServedSdist;
    let standIn: Server;
    before(async () => {
      test = await startTestSupervisor({ isProcessGroup });
      standIn = createServer((socket) => socket.destroy()).listen(0, '127.200.77.9');
      await once(standIn, 'listening');
      const { address, port } = standIn.address() as AddressInfo;
      const toTuple = (host: string, number: number): string => `('${host}', ${number})`;
      sdist = await serveSdist('prying', (index) => backend(toTuple(address, port), toTuple(index.host, index.port)));
    });
    after(async () => {
      await test?.stop();
      standIn?.close();
      await sdist?.stop();
    });

    it('reaches an index on this machine and no runner, and listens at no address but its own', async (context) => {
      if ((await test.api.status()).isolation.addresses !== 'kernel') return context.skip('the kernel does not help');
      const environment: EnvironmentDefinition = {
        kind: 'virtualenv',
        configuration: { requirements: [sdist.requirement] },
      };
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
