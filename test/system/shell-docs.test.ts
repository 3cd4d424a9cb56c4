/** The guides in docs/ that use curl, as somebody follows them: every command runs, in order, in one shell. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { repositoryRoot, runCommand, startPlatform, type Platform } from './platform.ts';

interface Block {
  kind: string;
  text: string;
}

const blocksOf = (markdown: string): Block[] =>
  [...markdown.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, kind, text]) => ({ kind: kind!, text: text! }));

/** `…` stands for anything. */
function toPattern(expected: string): RegExp {
  const literal = expected.trim().replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(`^${literal.replaceAll('…', String.raw`[\s\S]*?`)}$`);
}

const between = '=== next ===';

describe('the guides that use a shell', () => {
  let platform: Platform;
  let folder: string;
  let blocks: Block[];
  before(async () => {
    await mkdir(join(repositoryRoot, '.cache'), { recursive: true });
    // Inside the repository, so that the name of the package means ours.
    folder = await mkdtemp(join(repositoryRoot, '.cache/shell-docs-'));
    const guides = ['queue', 'webhooks', 'metrics', 'files', 'workflows', 'sockets'].map((name) =>
      join(repositoryRoot, `docs/${name}.md`),
    );
    blocks = (await Promise.all(guides.map((path) => readFile(path, 'utf8')))).flatMap(blocksOf);
    await writeFile(join(folder, 'package.json'), '{"type":"module"}');
    for (const { text } of blocks) {
      const name = /^(?:#|\/\/) (\S+\.(?:py|ts))\n/.exec(text)?.[1];
      if (name !== undefined) await writeFile(join(folder, name), text);
    }
    platform = await startPlatform();
  });
  after(async () => {
    await platform?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('show receivers that a strict compiler accepts', async () => {
    const compilerOptions = { composite: false, noEmit: true };
    const config = { extends: '../../tsconfig.base.json', compilerOptions, include: ['*.ts'] };
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config));
    const compiler = join(repositoryRoot, 'node_modules/.bin/tsc');
    const { code, stdout } = await runCommand(compiler, ['-p', folder], process.env);
    assert.equal(code, 0, stdout);
  });

  it('print what they say they print', async () => {
    const deployed = await platform.fal(['deploy', 'work.py::Worker'], { cwd: folder });
    assert.equal(deployed.code, 0, deployed.stdout + deployed.stderr);
    const steps = blocks
      .map((block, at) => ({ block, next: blocks[at + 1] }))
      .filter(({ block }) => block.kind === 'sh')
      .map(({ block, next }) => ({ command: block.text, expected: next?.kind === 'output' ? next.text : null }));
    assert.ok(steps.length >= 14, `${steps.length} steps`);
    const script = ['set -euo pipefail', ...steps.flatMap(({ command }) => [command, `echo; echo '${between}'`])].join(
      '\n',
    );
    const env = { PORT: String(await aFreePort()), PATH: `${join(process.execPath, '..')}:${process.env['PATH']}` };
    const { code, stdout, stderr } = await platform.run('bash', ['-c', script], {
      cwd: folder,
      env,
      timeoutMs: 60_000,
    });
    assert.equal(code, 0, stdout + stderr);
    const outputs = stdout.split(between);
    for (const [at, { command, expected }] of steps.entries()) {
      if (expected !== null) assert.match(outputs[at]!.trim().replaceAll('\r', ''), toPattern(expected), command);
    }
  });

  it('show a recipe in Python that accepts a genuine webhook', async () => {
    const { code, stdout, stderr } = await platform.python(
      `
import http.server, os, threading
import fal_client
from verify import verify
verdicts = []
class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        facts = [self.headers[f"X-Fal-Webhook-{name}"] for name in ("Request-Id", "User-Id", "Timestamp", "Signature")]
        url = f"https://{os.environ['FAL_REST_HOST']}/.well-known/jwks.json"
        verdicts.append((verify(url, *facts, body), verify(url, *facts, body + b" ")))
        self.send_response(200)
        self.end_headers()
        threading.Thread(target=self.server.shutdown).start()
    def log_message(self, *args): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
fal_client.submit("acme/worker", arguments={}, webhook_url=f"http://127.0.0.1:{server.server_port}/")
server.serve_forever()
print(verdicts)
`,
      { cwd: folder, env: { PYTHONPATH: folder }, timeoutMs: 30_000 },
    );
    assert.equal(code, 0, stdout + stderr);
    assert.equal(stdout.trim(), '[(True, False)]');
  });
});

/** The shell's receiver opens it a moment later. */
async function aFreePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
