import type { LogLevel } from '@lanner/protocol';

const levelNames: Readonly<Record<string, LogLevel>> = {
  trace: 'trace',
  debug: 'debug',
  info: 'info',
  warn: 'warning',
  warning: 'warning',
  error: 'error',
  critical: 'error',
  fatal: 'error',
};
const levelFields = ['level', 'levelname', 'severity'];
const leadingWord = /^\s*(error|warning|warn|info|debug|trace)\b/i;
const bracketedWord = /\[\s*(error|warning|warn|info|debug|trace)\s*\]/i;
/** Levels are looked for at the beginning only; a line of 64 KiB costs no more than a short one. */
const lookedAtChars = 512;
const longestParsedLine = 16 * 1024;

/**
 * The level of a line that user code printed (grpc-controller 5.1): the first of `level`, `levelname`, `severity` of a
 * JSON object that holds a known name; else the word the line begins with or carries in brackets; else `info`, standard
 * error included.
 */
export function inferLogLevel(line: string): LogLevel {
  return levelOfJson(line) ?? levelOfText(line) ?? 'info';
}

function levelOfJson(line: string): LogLevel | undefined {
  if (!line.startsWith('{') || line.length > longestParsedLine) return undefined;
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  for (const field of levelFields) {
    const name = value[field];
    if (typeof name !== 'string') continue;
    const level = levelNames[name.toLowerCase()];
    if (level !== undefined) return level;
  }
  return undefined;
}

function levelOfText(line: string): LogLevel | undefined {
  const start = line.slice(0, lookedAtChars);
  const word = (leadingWord.exec(start) ?? bracketedWord.exec(start))?.[1];
  return word === undefined ? undefined : levelNames[word.toLowerCase()];
}
