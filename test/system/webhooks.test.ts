/** Webhooks through the official clients, to receivers that were written by others or could have been. */
import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { verifyWebhook, type WebhookEvent } from '../../packages/client/src/webhooks/index.ts';
import { eventually, repositoryRoot, startPlatform, type Platform } from './platform.ts';

/** The published recipe for receivers: any key of the set, timestamp within five minutes, signature over four lines. */
const receiverInPython = `
import base64, hashlib, http.server, json, os, threading, time, urllib.parse
import httpx, fal_client
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

jwks = httpx.get(f"https://{os.environ['FAL_REST_HOST']}/.well-known/jwks.json").raise_for_status().json()["keys"]

def verify(request_id, user_id, timestamp, signature_hex, body):
    if abs(int(time.time()) - int(timestamp)) > 300:
        return False
    message = "\\n".join([request_id, user_id, timestamp, hashlib.sha256(body).hexdigest()]).encode()
    for key in jwks:
        x = key["x"]
        public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(x + "=" * (-len(x) % 4)))
        try:
            public.verify(bytes.fromhex(signature_hex), message)
            return True
        except InvalidSignature:
            continue
    return False

seen = []
class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        facts = [self.headers[f"X-Fal-Webhook-{name}"] for name in ("Request-Id", "User-Id", "Timestamp", "Signature")]
        seen.append((self.path, facts, body))
        self.send_response(200 if verify(*facts, body) else 401)
        self.end_headers()
    def log_message(self, *args): pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/hook?note=" + urllib.parse.quote("a b&c=ü")
def wait(count):
    deadline = time.time() + 20
    while len(seen) < count:
        assert time.time() < deadline
        time.sleep(0.01)

handle = fal_client.submit("acme/queued", arguments={"name": "hooked"}, webhook_url=url)
wait(1)
path, facts, body = seen[0]
told = json.loads(body)
assert path == url.split(str(server.server_port))[1], path
assert told["request_id"] == told["gateway_request_id"] == facts[0] == handle.request_id, told
assert told["status"] == "OK" and "payload_error" not in told and not told.get("error"), told
assert told["payload"] == handle.get(), told
assert verify(*facts, body)
assert not verify(*facts, body.replace(b"hooked", b"hacked"))
assert not verify(facts[0], "somebody-else", *facts[2:], body)
assert not verify(*facts[:2], str(int(facts[2]) - 1), facts[3], body)

failing = fal_client.submit("acme/queued", arguments={"code": 422}, path="/status", webhook_url=url)
wait(2)
told = json.loads(seen[1][2])
assert told == {"request_id": failing.request_id, "gateway_request_id": failing.request_id, "status": "ERROR",
                "payload": {"detail": "as asked"}, "error": "Invalid status code: 422"}, told

import asyncio
async def main():
    handle = await fal_client.submit_async("acme/queued", arguments={"name": "async"}, webhook_url=url)
    await asyncio.to_thread(wait, 3)
    assert seen[2][1][0] == handle.request_id
asyncio.run(main())
time.sleep(0.2)
assert len(seen) == 3, "each once"
print("fine")
`;

describe('webhooks, through the official clients', () => {
  let platform: Platform;
  let rest: string;
  const received: { path: string; event: WebhookEvent<{ name: string }> }[] = [];
  /** How the receiver answers; default: it accepts. */
  let answer: (response: ServerResponse) => void;
  const receiver = createServer((request, response) => {
    void buffer(request).then(async (body) => {
      const jwksUrl = `${rest}/.well-known/jwks.json`;
      const event = await verifyWebhook<{ name: string }>({ headers: request.headers, body }, { jwksUrl });
      received.push({ path: request.url ?? '', event });
      answer(response);
    });
  });
  let hookUrl: string;
  before(async () => {
    platform = await startPlatform();
    rest = platform.clearOrigin;
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
    hookUrl = `http://localhost:${(receiver.address() as AddressInfo).port}/hook`;
    const deployed = await platform.fal(['deploy', 'test/system/apps/queued.py::Queued']);
    assert.equal(deployed.code, 0, deployed.stdout + deployed.stderr);
  });
  after(async () => {
    receiver.closeAllConnections();
    receiver.close();
    await platform.stop();
  });

  const call = async (path: string, init: RequestInit = {}) => {
    const headers = { authorization: `Key ${platform.variables['FAL_KEY']}`, ...(init.headers as object) };
    const response = await fetch(`${rest}${path}`, { ...init, headers });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const submit = async (
    name: string,
    url: string,
    more: { headers?: object; seconds?: number } = {},
  ): Promise<string> => {
    const { status, body } = await call(`/queue/acme/queued?fal_webhook=${encodeURIComponent(url)}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...more.headers },
      body: JSON.stringify({ name, seconds: more.seconds ?? 0 }),
    });
    assert.equal(status, 200, JSON.stringify(body));
    return String(body['request_id']);
  };
  const eventsOf = (requestId: string) => received.filter(({ event }) => event.requestId === requestId);
  const deliveryOf = async (requestId: string) => (await call(`/webhooks/deliveries/${requestId}`)).body;

  it('fal_client: a receiver after the published recipe accepts ours and refuses tampered ones', async () => {
    const { code, stdout, stderr } = await platform.python(receiverInPython, { timeoutMs: 60_000 });
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /fine/);
  });

  it('@fal-ai/client: queue.submit with webhookUrl', async () => {
    answer = (response) => void response.end();
    const script = `import { createRequire } from 'node:module';
const { fal } = createRequire(${JSON.stringify(join(repositoryRoot, 'package.json'))})('@fal-ai/client');
const { request_id: id } = await fal.queue.submit('acme/queued', { input: { name: 'js' }, webhookUrl: ${JSON.stringify(`${hookUrl}?from=js`)} });
console.log('id', id);`;
    const exec = ['exec', '--data-dir', platform.dataDir, '--', 'node', '--input-type=module', '-e', script];
    const { code, stdout, stderr } = await platform.lanner(exec);
    assert.equal(code, 0, stdout + stderr);
    const id = /^id (\S+)$/m.exec(stdout)![1]!;
    await eventually(() => assert.equal(eventsOf(id).length, 1), 10_000);
    const [{ path, event }] = eventsOf(id) as [(typeof received)[0]];
    assert.deepEqual([path, event.status, event.payload?.name], ['/hook?from=js', 'OK', 'js']);
  });

  it('what a kill -9 cuts off is delivered by the next server, and what it did not begin too', async () => {
    answer = () => undefined;
    const cut = await submit('cut', hookUrl);
    await eventually(() => assert.equal(eventsOf(cut).length, 1), 10_000);
    const running = await submit('running', hookUrl, { seconds: 1 });
    await platform.killServer();
    answer = (response) => void response.end();
    await platform.startServer();
    await eventually(() => {
      assert.equal(eventsOf(cut).length, 2);
      assert.equal(eventsOf(running).length, 1);
    }, 15_000);
    assert.equal(eventsOf(running)[0]!.event.payload?.name, 'running');
    await eventually(async () => assert.equal((await deliveryOf(cut))['status'], 'DELIVERED'), 5_000);
  });

  it('a receiver that moved is given up; what was tried is listed, and replayed on demand', async () => {
    answer = (response) => void response.writeHead(301, { location: hookUrl }).end();
    const id = await submit('moved', `${hookUrl}/old`);
    await eventually(async () => assert.equal((await deliveryOf(id))['status'], 'FAILED'), 10_000);
    answer = (response) => void response.writeHead(204).end();
    const lanner = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await platform.lanner(['webhooks', ...args, '--data-dir', platform.dataDir]);
      assert.equal(code, 0, stdout + stderr);
      return stdout;
    };
    const [listed] = JSON.parse(await lanner('list', '--status', 'failed', '--json')) as { requestId: string }[];
    assert.equal(listed?.requestId, id);
    assert.match(await lanner('replay', id), /On its way to /);
    await eventually(async () => assert.equal((await deliveryOf(id))['status'], 'DELIVERED'), 10_000);
    const attempts = (await deliveryOf(id))['deliveries'] as { status_code: number; error: string | null }[];
    assert.deepEqual(
      attempts.map((attempt) => [attempt.status_code, attempt.error]),
      [
        [301, 'redirect'],
        [204, null],
      ],
    );
    assert.equal(eventsOf(id).length, 2);
    assert.match(await lanner('show', id), /301[\s\S]*redirect[\s\S]*204/);
    assert.match(await lanner('rotate-key'), /^[0-9a-f-]{36} signs from 20/);
    // The receiver's set is that of before: the key of before still signs.
    const after = await submit('rotated', hookUrl);
    await eventually(() => assert.equal(eventsOf(after).length, 1), 10_000);
  });

  it('a result of megabytes arrives whole, and an app of this platform is reached by its own certificate', async () => {
    const text = 'ü'.repeat(700_000);
    const large = await call(`/queue/acme/queued/large?fal_webhook=${encodeURIComponent(hookUrl)}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: text }),
    });
    const id = String(large.body['request_id']);
    await eventually(() => assert.equal(eventsOf(id)[0]?.event.payload?.name, text), 15_000);
    // A private app answers 401, which is an answer.
    const own = await submit('own', `https://${platform.variables['FAL_RUN_HOST']}/acme/queued/`);
    await eventually(async () => {
      const [attempt] = (await deliveryOf(own))['deliveries'] as { status_code: number; error: string }[];
      assert.deepEqual([attempt?.status_code, attempt?.error], [401, 'status']);
    }, 10_000);
  });

  it('input that is not to be kept is gone with the end, and a deleted result says so', async () => {
    const id = await submit('private', hookUrl, { headers: { 'x-fal-store-io': '0' } });
    await eventually(() => assert.equal(eventsOf(id).length, 1), 10_000);
    const result = `/queue/acme/queued/requests/${id}`;
    assert.equal((await call(result)).body['name'], 'private');
    assert.equal((await call(`/v1/models/requests/${id}/payloads`, { method: 'DELETE' })).status, 200);
    assert.equal((await call(result)).status, 410);
    assert.equal((await call(`${result}/status`)).body['status'], 'COMPLETED');
  });

  it('a URL that cannot be a receiver is refused before anything is queued', async () => {
    for (const url of ['ftp://hook.example/', 'nonsense']) {
      const refused = await call(`/queue/acme/queued?fal_webhook=${encodeURIComponent(url)}`, {
        method: 'POST',
        body: '{}',
      });
      assert.deepEqual([refused.status, refused.body['error_type']], [400, 'bad_request']);
    }
  });
});
