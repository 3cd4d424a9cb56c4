/** Kills the parts of a loaded platform at random moments, and looks at what became of every request. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { startPlatform, type Platform } from '../system/platform.ts';
import { judge, type CampaignFacts, type Verdict, type Victim } from './judge.ts';

export interface CampaignOptions {
  kills: number;
  /** Of the random moments and victims; the same seed gives the same order of victims. */
  seed: number;
  submitters?: number;
  report: (line: string) => void;
}

export interface CampaignResult extends Verdict {
  kills: Record<Victim, number>;
  executions: number;
  refused: number;
}

const victims: readonly Victim[] = ['server', 'server', 'supervisor', 'runner', 'runner'];

/** Runs a whole campaign on a platform of its own. */
export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const { report } = options;
  const platform = await startPlatform();
  try {
    const deployed = await platform.fal(['deploy', join(import.meta.dirname, 'chaos_app.py') + '::Chaos']);
    if (deployed.code !== 0) throw new Error(`the app could not be deployed:\n${deployed.stdout}${deployed.stderr}`);
    return await killAndCount(platform, options);
  } finally {
    await platform.stop();
    report('platform stopped');
  }
}

async function killAndCount(platform: Platform, options: CampaignOptions): Promise<CampaignResult> {
  const { report } = options;
  const dice = randomFrom(options.seed);
  const facts = {
    acknowledged: new Map<string, number>(),
    results: [] as { requestId: string; verdict: 'OK' | 'WRONG' | 'LOST'; detail: string }[],
    executions: [] as CampaignFacts['executions'][number][],
    kills: [] as { victim: Victim; atMs: number }[],
  };
  let refused = 0;
  const load = startLoad(platform, options.submitters ?? 4, options.seed);
  const submitsOver = Promise.withResolvers<void>();
  createInterface({ input: load.stdout }).on('line', (line) => {
    const [kind, first = '', number, verdict, ...detail] = line.split(' ');
    if (kind === 'ack') facts.acknowledged.set(first, Number(number));
    if (kind === 'refused') {
      refused = Number(first);
      submitsOver.resolve();
    }
    if (kind === 'result') {
      facts.results.push({ requestId: first, verdict: verdict as 'OK', detail: detail.join(' ') });
      if (verdict !== 'OK') report(line);
    }
  });
  const ended = new Promise<void>((resolve, reject) => {
    load.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`the load ended with ${code}`))));
  });
  ended.catch(submitsOver.reject);

  for (let kill = 1; kill <= options.kills; kill += 1) {
    await sleep(100 + dice() * 900);
    const victim = victims[Math.floor(dice() * victims.length)]!;
    const isHit = await killOne(platform, victim, dice);
    if (!isHit) {
      kill -= 1;
      continue;
    }
    facts.kills.push({ victim, atMs: isHit.atMs });
    if (victim === 'server') await platform.startServer();
    if (kill % 10 === 0) report(`${kill} kills, ${facts.acknowledged.size} acknowledged`);
  }
  load.stdin.write('\n');
  await submitsOver.promise;
  report(`fetching ${facts.acknowledged.size} results …`);
  load.stdin.write('\n');
  await ended;

  facts.executions = readExecutions(platform);
  const kills = { server: 0, supervisor: 0, runner: 0 };
  for (const { victim } of facts.kills) kills[victim] += 1;
  return { ...judge(facts), kills, executions: facts.executions.length, refused };
}

function startLoad(platform: Platform, submitters: number, seed: number) {
  const script = join(import.meta.dirname, 'chaos_load.py');
  const environment = { ...process.env, ...platform.variables };
  const child = spawn(platform.pythonPath, [script, String(submitters), String(seed)], {
    env: environment,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  return child;
}

/** @returns when it was killed; null when there was none. */
async function killOne(platform: Platform, victim: Victim, dice: () => number): Promise<{ atMs: number } | null> {
  const atMs = Date.now();
  try {
    if (victim === 'server') await platform.killServer();
    else if (victim === 'supervisor') {
      process.kill(Number(readFileSync(join(platform.dataDir, 'run/supervisor.pid'), 'utf8')), 'SIGKILL');
    } else {
      const apps = appProcesses(platform.dataDir);
      if (apps.length === 0) return null;
      process.kill(apps[Math.floor(dice() * apps.length)]!, 'SIGKILL');
    }
    return { atMs };
  } catch {
    return null; // ended by itself in between
  }
}

/** Processes that run an app: Python of this platform's environments, below a runner's init. */
function appProcesses(dataDir: string): number[] {
  const ofEnvironments = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => readText(`/proc/${pid}/cmdline`).includes(join(dataDir, 'environments')));
  const isInit = new Set(ofEnvironments.filter((pid) => namespacePid(pid) === 1));
  return ofEnvironments.filter((pid) => isInit.has(parentOf(pid)) && !isInit.has(pid)).map(Number);
}

function namespacePid(pid: string): number {
  return Number(/^NSpid:.*\s(\d+)$/m.exec(readText(`/proc/${pid}/status`))?.[1] ?? 0);
}

function parentOf(pid: string): string {
  return /^PPid:\s*(\d+)$/m.exec(readText(`/proc/${pid}/status`))?.[1] ?? '0';
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function readExecutions(platform: Platform): CampaignFacts['executions'][number][] {
  const folder = join(platform.dataDir, 'data');
  return readFileSync(join(folder, readdirSync(folder)[0]!, 'chaos.txt'), 'utf8')
    .split('\n')
    .map((line) => /^(\S+) (\d+) ([\d.]+)$/.exec(line))
    .filter((match) => match !== null)
    .map(([, requestId, number, seconds]) => ({
      requestId: requestId!,
      number: Number(number),
      atMs: Number(seconds) * 1000,
    }));
}

/** Numbers in [0, 1) that a seed repeats: mulberry32, Tommy Ettinger's public-domain generator. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const sleep = (delayMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, delayMs));
