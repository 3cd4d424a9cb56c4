/**
 * Webhooks with a long backlog for a receiver that never answers: how long healthy receivers wait for theirs, from the commit of the
 * result to the arrival. And how fast one healthy receiver is served.
 * `node bench/webhooks.ts [--backlog 10000] [--seconds 10] [--rate 100]`
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../packages/protocol/src/index.ts';
import { createSecretBox } from '../packages/server/src/apps/secret-box.ts';
import { openDatabase } from '../packages/server/src/db/database.ts';
import { createSqliteRequestStore } from '../packages/server/src/queue/sqlite-request-store.ts';
import { defaultRetryRules } from '../packages/server/src/webhooks/decide-next-step.ts';
import { createWebhookSender } from '../packages/server/src/webhooks/send-webhook.ts';
import { openSigningKeys } from '../packages/server/src/webhooks/signing-keys.ts';
import { createSqliteDeliveryStore } from '../packages/server/src/webhooks/sqlite-delivery-store.ts';
import { createSqliteWebhookKeyStore } from '../packages/server/src/webhooks/sqlite-webhook-key-store.ts';
import { defaultWebhookLimits, WebhookDeliverer } from '../packages/server/src/webhooks/webhook-deliverer.ts';

const { values } = parseArgs({
  options: { backlog: { type: 'string' }, seconds: { type: 'string' }, rate: { type: 'string' } },
});
const backlog = Number(values.backlog ?? 10_000);
const seconds = Number(values.seconds ?? 10);
const ratePerSecond = Number(values.rate ?? 100);

const folder = await mkdtemp(join(tmpdir(), 'lanner-bench-webhooks-'));
const print = (line: string): void => void process.stdout.write(`${line}\n`);
print(`${cpus().length} × ${cpus()[0]?.model}, load ${loadavg()[0]?.toFixed(1)}, Node ${process.version}`);

const database = openDatabase({ path: join(folder, 'lanner.sqlite'), clock: systemClock });
const requests = createSqliteRequestStore(database);
const store = createSqliteDeliveryStore(database);
const log = { info: () => undefined, warn: () => undefined, error: (facts: object) => console.error(facts) };
const sender = createWebhookSender({
  allowPrivate: true,
  connectionsPerReceiver: defaultWebhookLimits.perReceiver,
  upstreamProxy: null,
  certificates: () => [],
  clock: systemClock,
});
const deliverer = new WebhookDeliverer({
  ...{ store, results: requests, blobs: { open: () => Promise.reject(new Error('no blobs')) }, sender, log },
  keys: await openSigningKeys({
    ...{ store: createSqliteWebhookKeyStore(database), clock: systemClock, log },
    box: createSecretBox(randomBytes(32)),
  }),
  ...{ rules: defaultRetryRules, clock: systemClock },
});

const arrivals = new Map<string, (atMs: number) => void>();
const receiver = async (answer: (response: ServerResponse) => void): Promise<string> => {
  const server = createServer((request, response) => {
    arrivals.get(String(request.headers['x-fal-webhook-request-id']))?.(performance.now());
    request.resume().on('end', () => answer(response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
};
const dead = await receiver(() => undefined);
const healthy = await Promise.all(
  Array.from({ length: 5 }, () => receiver((response) => void response.writeHead(204).end())),
);

const bytes = Buffer.from(JSON.stringify({ text: 'x'.repeat(1000) }));
/** A request that ended; its webhook is in the outbox. */
const end = async (url: string): Promise<string> => {
  const requestId = randomUUID();
  const number = await requests.add({
    ...{ requestId, accountId: 'a', appId: 'a/b', targetId: 't', callerAccountId: 'a', priority: 'normal' },
    ...{ startDeadlineMs: null, options: { webhook: url }, submittedAtMs: Date.now() },
    input: { method: 'POST', path: '/', headers: [], body: { bytes: null, blob: null, sizeBytes: 0 } },
  });
  await requests.finishWaiting(number, {
    ...{ status: 200, headers: {}, error: null, errorType: null, inferenceMs: 1, endedAtMs: Date.now() },
    body: { bytes, blob: null, sizeBytes: bytes.length },
  });
  return requestId;
};
const arrival = (requestId: string): Promise<number> =>
  new Promise((resolve) => arrivals.set(requestId, (atMs) => (arrivals.delete(requestId), resolve(atMs))));

try {
  await Promise.all(Array.from({ length: backlog }, () => end(dead)));
  const memory = process.memoryUsage.rss();
  const startMs = performance.now();
  await deliverer.start();
  print(
    `backlog of ${backlog} taken up in ${(performance.now() - startMs).toFixed(1)} ms, +${Math.round((process.memoryUsage.rss() - memory) / 1e6)} MB`,
  );

  const waits: Promise<number>[] = [];
  const untilMs = performance.now() + seconds * 1000;
  for (let count = 0; performance.now() < untilMs; count += 1) {
    const url = healthy[count % healthy.length]!;
    const requestId = await end(url);
    const committedMs = performance.now();
    waits.push(arrival(requestId).then((atMs) => atMs - committedMs));
    deliverer.added(url);
    await new Promise((resolve) => setTimeout(resolve, 1000 / ratePerSecond));
  }
  const times = (await Promise.all(waits)).sort((a, b) => a - b);
  const at = (share: number): string => times[Math.floor(times.length * share)]!.toFixed(1);
  print(
    `healthy receivers, ${times.length} webhooks: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(0.9999)} ms (budget: p99 ≤ 1000)`,
  );

  const many = 2_000;
  const ids = await Promise.all(Array.from({ length: many }, () => end(healthy[0]!)));
  const all = ids.map(arrival);
  const burstMs = performance.now();
  deliverer.added(healthy[0]!);
  await Promise.all(all);
  print(`one healthy receiver, ${many} at once: ${Math.round(many / ((performance.now() - burstMs) / 1000))}/s`);
} finally {
  await deliverer.stop(0);
  await sender.close();
  await database.close();
  await rm(folder, { recursive: true, force: true });
}
process.exit(0);
