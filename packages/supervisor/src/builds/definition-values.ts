import { LannerError, type Json } from '@lanner/protocol';
import { hideCredentials } from './hide-credentials.ts';

/** Longest requirement, package or channel. */
const maxTextChars = 4096;
/** Oldest Python the runner code works with: 3.10. */
export const oldestPythonMinor = 10;

export function buildFailed(message: string): LannerError {
  return new LannerError('build_failed', message);
}

export function isPresent(value: Json | undefined): value is Exclude<Json, null> {
  return value !== undefined && value !== null;
}

/** A value of a definition as an error shows it: its beginning, in one line, without passwords. */
export function shown(value: Json | undefined): string {
  return hideCredentials(JSON.stringify(value) ?? 'nothing').slice(0, 80);
}

/**
 * @returns `3.N` or `3.N.N`; undefined when the definition leaves it to the platform.
 * @throws LannerError `build_failed` for anything else.
 */
export function parsePythonVersion(value: Json | undefined): string | undefined {
  if (!isPresent(value)) return undefined;
  if (typeof value !== 'string' || !/^3(\.\d{1,3}){1,2}$/.test(value))
    throw buildFailed(`Python version ${shown(value)} is not of the form 3.N or 3.N.N.`);
  return value;
}

/**
 * One string of a list, without the spaces around it. One string is one line: a line break or a continuation would smuggle in another.
 * @param what e.g. `requirement`, for the error.
 * @throws LannerError `build_failed`
 */
export function parseText(value: Json | undefined, what: string): string {
  if (typeof value !== 'string') throw buildFailed(`A ${what} is not a string: ${shown(value)}`);
  if (value.length > maxTextChars) throw buildFailed(`A ${what} is longer than ${maxTextChars} characters.`);
  // eslint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f\u2028\u2029]/.test(value.trim()) || value.endsWith('\\'))
    throw buildFailed(`A ${what} holds a control character or line break: ${shown(value)}`);
  return value.trim();
}
