/**
 * BullMQ on a Redis that syncs every write to disk, as the peer of the queue's store: jobs that wait, added by callers in
 * this process. `redis-server` comes from the PATH; BullMQ and ioredis from a folder where somebody installed them, so that
 * Lanner itself does not depend on them.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

interface Redis {
  config(command: 'GET', name: string): Promise<string[]>;
  disconnect(): void;
}

interface JobQueue {
  add(name: string, data: object): Promise<unknown>;
  close(): Promise<void>;
}

export interface BullmqPeer {
  /** What is measured, with its versions and settings. */
  name: string;
  /** Adds a waiting job; resolves once it is durable. */
  add(data: object): Promise<unknown>;
  stop(): Promise<void>;
}

/** @param folder where `npm install bullmq ioredis` was run. */
export async function startBullmq(folder: string): Promise<BullmqPeer> {
  const load = createRequire(join(resolve(folder), 'package.json'));
  const { Queue } = load('bullmq') as { Queue: new (name: string, options: object) => JobQueue };
  const { Redis } = load('ioredis') as { Redis: new (path: string, options: object) => Redis };
  const data = await mkdtemp(join(tmpdir(), 'lanner-bench-redis-'));
  const socket = join(data, 'redis.sock');
  const settings = [
    '--port',
    '0',
    '--unixsocket',
    socket,
    '--dir',
    data,
    '--save',
    '',
    '--maxmemory-policy',
    'noeviction',
  ];
  const server = spawn('redis-server', [...settings, '--appendonly', 'yes', '--appendfsync', 'always'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await isReady(server);
  const connection = new Redis(socket, { maxRetriesPerRequest: null });
  const [, sync] = await connection.config('GET', 'appendfsync');
  if (sync !== 'always') throw new Error(`Redis runs with appendfsync ${sync}`);
  const queue = new Queue('bench', { connection });
  const version = async (name: string): Promise<string> =>
    (JSON.parse(await readFile(join(folder, 'node_modules', name, 'package.json'), 'utf8')) as { version: string })
      .version;
  return {
    name: `BullMQ ${await version('bullmq')}, ioredis ${await version('ioredis')}, Redis over a Unix socket, appendfsync always`,
    add: (job) => queue.add('job', job),
    async stop() {
      await queue.close();
      connection.disconnect();
      const ended = once(server, 'exit');
      server.kill('SIGTERM');
      await ended;
      await rm(data, { recursive: true, force: true });
    },
  };
}

async function isReady(server: ChildProcess): Promise<void> {
  await once(server, 'spawn');
  let said = '';
  await new Promise<void>((settle, reject) => {
    server.once('exit', (code) => reject(new Error(`redis-server ended with ${code}:\n${said}`)));
    server.stdout!.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (/ready to accept connections/i.test(said)) settle();
    });
  });
}
