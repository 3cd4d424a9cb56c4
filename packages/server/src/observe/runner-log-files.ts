import { appendFile, mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LogLine } from './log-line.ts';
import { isInRange, type LogRange, type RunnerLogOwner } from './runner-logs.ts';

/**
 * Lines of one runner on disk: a folder with `owner.json` and numbered NDJSON segments. The newest segment grows; when it is
 * full a new one begins, and the oldest goes when there are too many.
 */
export interface RunnerLogFiles {
  /** Appends encoded lines. Rejects when the disk refuses. */
  append(encodedLines: string): Promise<void>;
}

export interface RunnerLogFilesOptions {
  /** The runner's own folder. */
  directory: string;
  owner: RunnerLogOwner;
  segmentBytes: number;
  segmentCount: number;
}

const ownerFile = 'owner.json';
const segmentPattern = /^\d{8}\.ndjson$/;

/** Opens (and creates at the first append) the folder of one runner; carries on where an earlier process stopped. */
export function openRunnerLogFiles(options: RunnerLogFilesOptions): RunnerLogFiles {
  const { directory, owner, segmentBytes, segmentCount } = options;
  let current: { path: string; number: number; bytes: number } | null = null;

  const open = async (): Promise<{ path: string; number: number; bytes: number }> => {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await writeFile(join(directory, ownerFile), JSON.stringify(owner), { mode: 0o600 });
    const newest = (await listSegments(directory)).at(-1);
    if (newest === undefined) return segment(1);
    const path = join(directory, newest);
    return { path, number: Number.parseInt(newest, 10), bytes: (await stat(path)).size };
  };

  const segment = (number: number): { path: string; number: number; bytes: number } => ({
    path: join(directory, `${String(number).padStart(8, '0')}.ndjson`),
    number,
    bytes: 0,
  });

  return {
    async append(encodedLines) {
      current ??= await open();
      if (current.bytes >= segmentBytes) {
        current = segment(current.number + 1);
        for (const old of (await listSegments(directory)).slice(0, -(segmentCount - 1))) {
          await rm(join(directory, old), { force: true });
        }
      }
      const size = Buffer.byteLength(encodedLines);
      try {
        await appendFile(current.path, encodedLines, { mode: 0o600 });
      } catch (error) {
        // The folder may have been cleared away to make room; begin anew next time.
        current = null;
        throw error;
      }
      current.bytes += size;
    },
  };
}

/** Whose runner a folder holds; null when there is no such folder. */
export async function readRunnerLogOwner(directory: string): Promise<RunnerLogOwner | null> {
  try {
    return JSON.parse(await readFile(join(directory, ownerFile), 'utf8')) as RunnerLogOwner;
  } catch {
    return null;
  }
}

/** Lines are stored as they arrive; one may be this much older than the line before it. */
const disorderMs = 60_000;

/** Lines of a runner, newest first. */
export async function readRunnerLines(directory: string, range: LogRange): Promise<LogLine[]> {
  const oldestMs = (range.sinceMs ?? -Infinity) - disorderMs;
  const found: LogLine[] = [];
  for (const name of (await listSegments(directory)).reverse()) {
    const text = await readFile(join(directory, name), 'utf8').catch(() => '');
    const encoded = text.split('\n');
    for (let index = encoded.length - 1; index >= 0; index -= 1) {
      const line = decodeLine(encoded[index]!);
      if (line === null) continue;
      if (line.atMs < oldestMs) return found;
      if (!isInRange(line, range)) continue;
      if (found.length >= range.limit) return found;
      found.push(line);
    }
  }
  return found;
}

/** Names of the segments in a folder, oldest first. */
export async function listSegments(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch(() => []);
  return names.filter((name) => segmentPattern.test(name)).sort();
}

/** One line as it is stored, with its line feed. */
export function encodeLine({ atMs, source, level, line, labels }: LogLine): string {
  return `${JSON.stringify(labels === undefined ? [atMs, source, level, line] : [atMs, source, level, line, labels])}\n`;
}

/** Null for what a crash left unfinished. */
function decodeLine(encoded: string): LogLine | null {
  if (encoded === '') return null;
  try {
    const [atMs, source, level, line, labels] = JSON.parse(encoded) as [
      number,
      LogLine['source'],
      LogLine['level'],
      string,
      Record<string, string> | undefined,
    ];
    return { atMs, source, level, line, ...(labels === undefined ? {} : { labels }) };
  } catch {
    return null;
  }
}
