import { LannerError } from '@lanner/protocol';

/** First path segments that mean something else than an owner (`workflows/owner/name` …). */
const reservedNicknames: ReadonlySet<string> = new Set(['workflows', 'comfy']);

const longestNickname = 63;

/**
 * Checks a nickname: it is the owner part of every public app id, so it has to be a plain path segment.
 * @throws LannerError `invalid_argument`.
 */
export function assertNickname(nickname: string): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(nickname) || nickname.length > longestNickname) {
    throw new LannerError(
      'invalid_argument',
      `"${nickname.slice(0, 100)}" cannot be an account's nickname. Use up to ${longestNickname} letters, digits, "-", "_" and ".", ` +
        `beginning with a letter or digit, for example "${toNickname(nickname)}".`,
    );
  }
  if (reservedNicknames.has(nickname.toLowerCase())) {
    throw new LannerError(
      'invalid_argument',
      `The nickname "${nickname}" is reserved: its addresses mean something else. Choose another.`,
    );
  }
}

/** The nearest legal nickname to any text, such as a login name. */
export function toNickname(text: string): string {
  const plain = text
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, longestNickname)
    .replace(/-+$/, '');
  return plain === '' || reservedNicknames.has(plain.toLowerCase()) ? `${plain || 'user'}-1` : plain;
}
