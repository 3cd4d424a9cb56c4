import { textWidth } from './text-width.ts';
import type { Style } from './style.ts';

/** A line across, with a title in its middle. */
export function rule(width: number, isUnicode: boolean, paint: (text: string) => string, title = ''): string {
  const line = isUnicode ? '─' : '-';
  if (title === '') return paint(line.repeat(width));
  const rest = Math.max(2, width - textWidth(title) - 2);
  const left = Math.floor(rest / 2);
  return `${paint(line.repeat(left))} ${title} ${paint(line.repeat(rest - left))}`;
}

/** Signs for lines, and what stands for them where only ASCII can be shown. */
export function signs(isUnicode: boolean): { check: string; section: string; progress: string } {
  return isUnicode ? { check: '✓', section: '▸', progress: '🔄' } : { check: '+', section: '>', progress: '~' };
}

const levelColours: Readonly<Record<string, 'red' | 'yellow' | 'blue' | 'dim' | 'cyanBright'>> = {
  critical: 'red',
  exception: 'red',
  error: 'red',
  warning: 'yellow',
  info: 'blue',
  debug: 'dim',
  trace: 'dim',
  stdout: 'cyanBright',
  notset: 'dim',
};

/** `2026-11-24 12:32:25.691 [info     ] message`, as the official command lays lines of logs out. */
export function logLine(timestamp: string, level: string, message: string, style: Style): string {
  const colour = levelColours[level.toLowerCase()];
  const shown = level.padEnd(9);
  return `${style('dim', timestamp)} [${colour === undefined ? shown : style([colour, 'bold'], shown)}] ${message}`;
}

/** UTC, to the millisecond, without zone. */
export function utcClock(date: Date): string {
  return date.toISOString().replace('T', ' ').replace('Z', '');
}

/** Local time with its offset: `2026-11-24 13:32:25.691+01:00`. */
export function localClock(date: Date): string {
  const offsetMinutes = -date.getTimezoneOffset();
  const local = new Date(date.getTime() + offsetMinutes * 60_000);
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  const sign = offsetMinutes < 0 ? '-' : '+';
  const offset = Math.abs(offsetMinutes);
  return `${utcClock(local)}${sign}${two(offset / 60)}:${two(offset % 60)}`;
}
