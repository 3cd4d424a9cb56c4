/** First path segments that mean something else than an owner (`workflows/owner/name` …). */
const reservedNicknames: ReadonlySet<string> = new Set(['workflows', 'comfy']);

const longestNickname = 63;

/**
 * Why a text cannot be the nickname of an account, as the end of a sentence ("must be …"); null when it can. A nickname is
 * the owner part of every public app id, so it has to be a plain path segment.
 */
export function findNicknameProblem(nickname: string): string | null {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(nickname) || nickname.length > longestNickname) {
    return `must be up to ${longestNickname} letters, digits, "-", "_" and ".", beginning with a letter or digit`;
  }
  return reservedNicknames.has(nickname.toLowerCase()) ? 'is a reserved word that app ids use otherwise' : null;
}

/** The nearest legal nickname to any text, such as a login name; `local` where nothing is left of it. */
export function toNickname(text: string): string {
  const plain = text
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, longestNickname)
    .replace(/-+$/, '');
  if (plain === '') return 'local';
  return reservedNicknames.has(plain.toLowerCase()) ? `${plain}-1` : plain;
}
