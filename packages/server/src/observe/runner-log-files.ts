import { appendFile, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LogLine } from './log-line.ts';
import { isInRange, type LogRange, type RunnerLogOwner } from './runner-logs.ts';

/**
 * Lines of one runner on disk: a folder with `owner.json` and numbered NDJSON segments. The newest segment grows; when it is
 * full a new one begins, and the oldest goes when there are too many.
 */
export interface RunnerLogFiles {
  /**
   * Appends lines, less those that an earlier process has written already. Resolves with the bytes that were added; rejects when
   * the disk refuses.
   */
  append(lines: readonly EncodedLine[]): Promise<number>;
}

/** One line as it is stored, with its line feed, and the number of the event that brought it. */
export interface EncodedLine {
  text: string;
  seq: number | null;
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
  let current: Segment | null = null;
  /** Of the lines that are written. */
  let lastSeq: number | null = null;

  const open = async (): Promise<Segment> => {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await writeFile(join(directory, ownerFile), JSON.stringify(owner), { mode: 0o600 });
    const newest = (await listSegments(directory)).at(-1);
    if (newest === undefined) return segment(1);
    const path = join(directory, newest);
    const written = await readFile(path);
    lastSeq ??= findLastSeq(written.toString());
    // A crash may have cut the last line off; what follows must not hang on to it.
    const isCut = written.length > 0 && written.at(-1) !== 0x0a;
    if (isCut) await appendFile(path, '\n');
    return { path, number: Number.parseInt(newest, 10), bytes: written.length + Number(isCut) };
  };

  const segment = (number: number): Segment => ({
    path: join(directory, `${String(number).padStart(8, '0')}.ndjson`),
    number,
    bytes: 0,
  });

  return {
    async append(lines) {
      current ??= await open();
      const fresh = lines.filter(({ seq }) => seq === null || lastSeq === null || seq > lastSeq);
      if (fresh.length === 0) return 0;
      if (current.bytes >= segmentBytes) {
        current = segment(current.number + 1);
        for (const old of (await listSegments(directory)).slice(0, -(segmentCount - 1))) {
          await rm(join(directory, old), { force: true });
        }
      }
      const bytes = Buffer.from(fresh.map(({ text }) => text).join(''));
      try {
        await appendFile(current.path, bytes, { mode: 0o600 });
      } catch (error) {
        // The folder may have been cleared away to make room; begin anew next time.
        current = null;
        throw error;
      }
      current.bytes += bytes.length;
      lastSeq = fresh.findLast(({ seq }) => seq !== null)?.seq ?? lastSeq;
      return bytes.length;
    },
  };
}

interface Segment {
  path: string;
  number: number;
  bytes: number;
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

/** A line is an array: time, source, level, text, labels or null, number of its event; what is null at the end is left out. */
export function encodeLine({ atMs, source, level, line, labels }: LogLine, seq: number | null): EncodedLine {
  const fields: unknown[] = [atMs, source, level, line];
  if (labels !== undefined || seq !== null) fields.push(labels ?? null);
  if (seq !== null) fields.push(seq);
  return { text: `${JSON.stringify(fields)}\n`, seq };
}

/** Number of the last line that has one. */
function findLastSeq(text: string): number | null {
  const encoded = text.split('\n');
  for (let index = encoded.length - 1; index >= 0; index -= 1) {
    const seq = /,(\d+)\]$/.exec(encoded[index]!)?.[1];
    if (seq !== undefined && decodeLine(encoded[index]!) !== null) return Number(seq);
  }
  return null;
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
      Record<string, string> | null | undefined,
    ];
    return { atMs, source, level, line, ...(labels ? { labels } : {}) };
  } catch {
    return null;
  }
}
