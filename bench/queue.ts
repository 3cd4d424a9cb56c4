/**
 * The queue's store and line in process: durable submits and claims by callers, with few and with many requests waiting.
 * `node bench/queue.ts [--waiting 1000000] [--seconds 3] [--bullmq FOLDER]`
 *
 * `--bullmq`: a folder where `npm install bullmq ioredis` was run; with `redis-server` on the PATH, BullMQ takes the same
 * submits in turns with the store.
 */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startBullmq } from './queue/bullmq.ts';
import { newRequestId } from '../packages/server/src/gateway/new-request-id.ts';
import { systemClock } from '../packages/protocol/src/index.ts';
import { openDatabase } from '../packages/server/src/db/database.ts';
import type { LiveRequest } from '../packages/server/src/queue/live-request.ts';
import type { NewRequest } from '../packages/server/src/queue/request-store.ts';
import { createSqliteRequestStore } from '../packages/server/src/queue/sqlite-request-store.ts';
import { WaitingLine } from '../packages/server/src/queue/waiting-line.ts';

const { values } = parseArgs({
  options: { waiting: { type: 'string' }, seconds: { type: 'string' }, bullmq: { type: 'string' } },
});
const waiting = Number(values.waiting ?? 1_000_000);
const seconds = Number(values.seconds ?? 3);
const callers = 16;

const folder = await mkdtemp(join(tmpdir(), 'lanner-bench-queue-'));
const path = join(folder, 'lanner.sqlite');
const print = (line: string): void => void process.stdout.write(`${line}\n`);
print(`${cpus().length} × ${cpus()[0]?.model}, load ${loadavg()[0]?.toFixed(1)}, Node ${process.version}`);
try {
  const database = openDatabase({ path, clock: systemClock });
  const store = createSqliteRequestStore(database);
  const bytes = Buffer.alloc(1024, 'x');
  const request = (): NewRequest => ({
    requestId: newRequestId(Date.now()),
    accountId: 'account',
    appId: 'acme/app',
    targetId: 'account/app',
    callerAccountId: 'account',
    priority: 'normal',
    startDeadlineMs: null,
    options: {},
    submittedAtMs: Date.now(),
    input: {
      method: 'POST',
      path: '/',
      headers: ['content-type', 'application/json'],
      body: { bytes, blob: null, sizeBytes: 1024 },
    },
  });
  const rate = async (act: () => Promise<unknown>): Promise<{ perSecond: number; text: string }> => {
    const untilMs = performance.now() + seconds * 1000;
    const times: number[] = [];
    await Promise.all(
      Array.from({ length: callers }, async () => {
        while (performance.now() < untilMs) {
          const startMs = performance.now();
          await act();
          times.push(performance.now() - startMs);
        }
      }),
    );
    times.sort((a, b) => a - b);
    const at = (share: number): string => times[Math.floor(times.length * share)]!.toFixed(2);
    const perSecond = Math.round(times.length / seconds);
    return { perSecond, text: `${perSecond}/s, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms` };
  };
  const measure = async (name: string): Promise<void> => {
    print(`${name}: submit, 1 KiB, ${callers} callers: ${(await rate(() => store.add(request()))).text}`);
    const [first] = await store.listLive(0, 1);
    let next = first!.number;
    const result = {
      status: 200,
      headers: {},
      body: { bytes, blob: null, sizeBytes: 1024 },
      error: null,
      errorType: null,
      inferenceMs: 1,
      endedAtMs: 1,
    };
    const claimAndFinish = async (): Promise<void> => {
      const number = next;
      next += 1;
      const lease = randomUUID();
      // As the platform does it: the claim is not waited for, the end joins its commit (ADR 14).
      const claimed = store.claim(number, { lease, runnerId: 'runner', generation: 'boot', atMs: 1 });
      await store.finish(number, lease, result);
      await claimed;
    };
    print(`${name}: claim + finish, ${callers} callers: ${(await rate(claimAndFinish)).text}`);
  };
  const compare = async (installed: string): Promise<void> => {
    const peer = await startBullmq(installed);
    try {
      print(peer.name);
      const prompt = 'x'.repeat(1013);
      const ratios: number[] = [];
      for (let round = 0; round < 3; round += 1) {
        const ours = await rate(() => store.add(request()));
        const theirs = await rate(() => peer.add({ prompt }));
        ratios.push(ours.perSecond / theirs.perSecond);
        print(`submit, 1 KiB, ${callers} callers: store ${ours.text}; BullMQ ${theirs.text}`);
      }
      print(`store to BullMQ, median: ${ratios.toSorted((a, b) => a - b)[1]!.toFixed(2)}×`);
    } finally {
      await peer.stop();
    }
  };
  if (values.bullmq !== undefined) await compare(values.bullmq);
  await measure('few waiting');
  while (
    (await database.read((connection) => connection.get<{ n: number }>('SELECT count(*) AS n FROM queue_requests')))!
      .n < waiting
  ) {
    await Promise.all(Array.from({ length: 10_000 }, () => store.add(request())));
  }
  await measure(`${waiting} waiting`);
  globalThis.gc?.();
  const beforeBytes = process.memoryUsage().rss;
  const startMs = performance.now();
  const live = new Map<string, LiveRequest>();
  const line = new WaitingLine<LiveRequest>();
  for (let after = 0; ;) {
    const page = await store.listLive(after, 5000);
    for (const each of page) {
      live.set(each.requestId, each);
      line.add(each);
    }
    if (page.length < 5000) break;
    after = page.at(-1)!.number;
  }
  print(
    `load ${line.size} requests: ${((performance.now() - startMs) / 1000).toFixed(1)} s, +${Math.round((process.memoryUsage().rss - beforeBytes) / 1e6)} MB`,
  );
  const samples = [...live.values()].filter((_each, index) => index % 1000 === 0);
  const positionMs = performance.now();
  for (const each of samples) line.position(each);
  print(`position: ${(((performance.now() - positionMs) / samples.length) * 1000).toFixed(1)} µs`);
  await database.close();
} finally {
  await rm(folder, { recursive: true, force: true });
}
