/** Sockets, streams and short-lived tokens with the official clients as they are: Python by variables and under `lanner exec`, npm under exec. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { WebSocket } from 'ws';
import { ensurePythonEnv } from '../../scripts/python-env.ts';
import { repositoryRoot, startPlatform, type CommandResult, type Platform } from './platform.ts';

/** Every way of the Python clients; `jwt` says whether tokens can be had (they come from a fixed host). */
const pythonCaller = (jwt: boolean): string => `
import asyncio, json
import fal.apps, fal_client
from websockets.exceptions import ConnectionClosed

app, use = "acme/sockets", {"use_jwt": ${jwt ? 'True' : 'False'}}
said = {}

def speak(path, *inputs, results=1, **options):
    with fal_client.realtime(app, path=path, **use, **options) as connection:
        for value in inputs:
            connection.send({"value": value})
        return [connection.recv()["value"] for _ in range(results)]

def problem(call):
    try:
        return call()
    except fal_client.client.RealtimeError as error:
        return [error.error, error.reason]
    except ConnectionClosed as error:
        return [error.rcvd.code, error.rcvd.reason]

said["unary"] = speak("/realtime", 1, 2, 3, results=3)
said["json"] = speak("/realtime/json", 4, encode_message=lambda m: json.dumps(m).encode(), decode_message=json.loads, max_buffering=2)
# The runtime of these two says itself that it may mix up results that come in quick succession.
said["server"] = sorted(speak("/realtime/server", 3, results=3))
said["client"] = speak("/realtime/client", 1, 2, 3)
said["bidi"] = sorted(speak("/realtime/bidi", 1, 2, 3, results=3))
said["raised"] = problem(lambda: speak("/realtime", -1))
said["quiet"] = problem(lambda: speak("/realtime/short"))

with fal_client.ws_connect(app, path="/raw", **use) as raw:
    said["raw"] = [json.loads(raw.recv())["message"] for _ in range(3)]

def echo(*messages):
    with fal_client.ws_connect(app, path="/echo", **use) as socket:
        for message in messages:
            socket.send(message)
            if socket.recv() != message:
                return "other"
        return "same"

said["echo"] = echo("text", b"\\x00\\x01", "x" * 3_000_000)
said["closed"] = problem(lambda: echo("close 4321"))
said["crashed"] = problem(lambda: echo("crash"))

said["stream"] = [event["step"] for event in fal_client.stream(app, {"value": 3})]
said["fal stream"] = len(list(fal.apps.stream(app, {"value": 2}, path="/stream")))

with fal.apps.ws(app) as http:
    said["ws"] = [json.loads(http.run({"value": value}))["value"] for value in range(3)]
    for value in range(3):
        http.send({"value": value})
    said["pipelined"] = [json.loads(http.recv())["value"] for _ in range(3)]
with fal.apps.ws(app, path="/stream") as http:
    http.send({"value": 2})
    said["ws stream"] = [json.loads(part.decode().removeprefix("data: "))["text"] for part in http.stream()]
with fal.apps.ws(app, path="/large") as http:
    said["ws large"] = len(http.run({"value": 3}))

async def main():
    async with fal_client.realtime_async(app, **use) as connection:
        await connection.send({"value": 21})
        said["async"] = await connection.recv()
    async with fal_client.ws_connect_async(app, path="/raw", **use) as raw:
        said["async raw"] = len([await raw.recv() for _ in range(3)])
    said["async stream"] = [event["step"] async for event in fal_client.stream_async(app, {"value": 2})]

asyncio.run(main())
print(json.dumps(said))
`;

const saidByPython = {
  unary: [2, 4, 6],
  json: [5],
  server: [0, 1, 2],
  client: [6],
  bidi: [10, 20, 30],
  raised: ['INTERNAL_ERROR', 'no negative numbers'],
  quiet: ['TIMEOUT', 'no inputs, reconnect when needed!'],
  raw: [0, 1, 2],
  echo: 'same',
  closed: [4321, 'as asked'],
  crashed: [1011, 'The runner ended the connection without closing it.'],
  stream: [0, 1, 2],
  'fal stream': 2,
  ws: [0, 2, 4],
  pipelined: [0, 2, 4],
  'ws stream': ['grüße 🚀', 'grüße 🚀'],
  'ws large': 3_000_000,
  async: { value: 42 },
  'async raw': 3,
  'async stream': [0, 1],
};

const nodeCaller = `
import { createRequire } from 'node:module';
const { fal } = createRequire(${JSON.stringify(join(repositoryRoot, 'package.json'))})('@fal-ai/client');
const app = 'acme/sockets';
const said = {};
const speak = (id, inputs, count, options = {}) => new Promise((resolve) => {
  const seen = [];
  const see = (thing) => {
    seen.push(thing);
    if (seen.length === count) resolve([...seen]), connection.close();
    else if (inputs.length > 0) connection.send(inputs.shift());
  };
  const connection = fal.realtime.connect(id, {
    throttleInterval: 0,
    onResult: ({ value }) => see(value),
    onError: ({ status, body }) => see([status, body?.error]),
    ...options,
  });
  connection.send(inputs.shift());
});
const tokenFor = async (apps) => {
  const response = await fetch('https://rest.fal.ai/tokens/realtime', {
    method: 'POST',
    headers: { authorization: 'Key ' + process.env.FAL_KEY, 'content-type': 'application/json' },
    body: JSON.stringify({ allowed_apps: apps, duration: 60 }),
  });
  return (await response.json()).token;
};
said.results = await speak(app, [{ value: 1 }, { value: 2 }, { value: 3 }], 3);
said.provided = await speak(app, [{ value: 4 }], 1, { tokenProvider: (id) => tokenFor([id]), tokenExpirationSeconds: 60 });
said.raised = await speak(app, [{ value: -1 }], 1);
said.missing = await speak('acme/missing', [{ value: 1 }], 2);
said.otherToken = await speak(app, [{ value: 1 }], 2, { tokenProvider: () => tokenFor(['acme/other']) });
said.badToken = await speak(app, [{ value: 1 }], 1, { tokenProvider: async () => 'a.b.c' });
// The first socket is refused with its token; the next call must come with another.
let asked = 0;
said.recovered = await speak(app, [{ value: 1 }, { value: 5 }], 2, {
  tokenProvider: async (id) => ((asked += 1) === 1 ? 'a.b.c' : tokenFor([id])),
});
const stream = await fal.stream(app, { input: { value: 2 } });
said.events = [];
for await (const { step } of stream) said.events.push(step);
said.done = (await stream.done()).text;
const direct = await fal.stream(app, {
  input: { value: 2 },
  connectionMode: 'client',
  tokenProvider: (id) => tokenFor([id]),
});
said.direct = (await direct.done()).step;
console.log(JSON.stringify(said));
process.exit();
`;

const saidByNode = {
  results: [2, 4, 6],
  provided: [8],
  raised: [[400, 'INTERNAL_ERROR']],
  missing: [
    [400, 'APP_NOT_FOUND'],
    [1008, null],
  ],
  otherToken: [
    [400, 'TOKEN_NOT_FOR_APP'],
    [1008, null],
  ],
  badToken: [[1008, null]],
  recovered: [[1008, null], 10],
  events: [0, 1],
  done: 'grüße 🚀',
  direct: 1,
};

describe('sockets and streams', () => {
  let platform: Platform;
  let python: { python: string; bin: string };

  before(async () => {
    [platform, python] = await Promise.all([startPlatform(), ensurePythonEnv()]);
    const deployed = await platform.fal(['deploy', 'test/system/apps/sockets.py::Sockets', '--auth', 'private']);
    assert.equal(deployed.code, 0, deployed.stdout + deployed.stderr);
  });
  after(() => platform.stop());

  const said = ({ code, stdout, stderr }: CommandResult): unknown => {
    assert.equal(code, 0, stdout + stderr);
    return JSON.parse(stdout.trim().split('\n').at(-1)!);
  };
  const exec = (...command: string[]): Promise<CommandResult> =>
    platform.lanner(['exec', '--data-dir', platform.dataDir, '--', ...command]);

  it('work with the Python clients by variables, from a cold runner on', async () => {
    assert.deepEqual(said(await platform.python(pythonCaller(false))), saidByPython);
  });

  it('work with the Python clients under lanner exec, with tokens', async () => {
    assert.deepEqual(said(await exec(python.python, '-c', pythonCaller(true))), saidByPython);
  });

  it('work with the npm client under lanner exec, which is told why it is refused and recovers', async () => {
    const script = join(platform.dataDir, 'call.mjs');
    await writeFile(script, nodeCaller);
    assert.deepEqual(said(await exec('node', script)), saidByNode);
  });

  it('keep a server that stops until its grace is over, and tell their callers', async () => {
    const url = `${platform.variables['FAL_RUN_HOST']!.replace(/^/, 'wss://')}/acme/sockets/echo`;
    const headers = { authorization: `Key ${platform.variables['FAL_KEY']}` };
    const socket = new WebSocket(url, { headers, rejectUnauthorized: false });
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    const closed = new Promise<number>((resolve) => socket.once('close', resolve));
    process.kill(platform.serverPid, 'SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, 500));
    const answered = new Promise((resolve) => socket.once('message', resolve));
    socket.send('still served');
    assert.equal(String(await answered), 'still served');
    // Asked a second time, it ends them now.
    process.kill(platform.serverPid, 'SIGTERM');
    assert.equal(await closed, 1001);
  });
});
