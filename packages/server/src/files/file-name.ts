/** Longest file name in UTF-8 bytes, as file systems have it. */
const longestNameBytes = 200;

/**
 * A name for an upload that fits into a URL, a header and any file system: the last part of the path that was sent, without
 * control characters and what no file may be called. Pure; never empty.
 */
export function toFileName(sent: string | null | undefined, contentType: string): string {
  const last = (sent ?? '').normalize('NFC').split(/[/\\]/).at(-1)!;
  const cleaned = withoutLoneSurrogates(last)
    // oxlint-disable-next-line no-control-regex -- these are what must go
    .replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069<>:"|?*#%]/g, '_')
    .replace(/^[. ]+|[. ]+$/g, '');
  return cutName(cleaned) || `file${extensions.get(contentType) ?? ''}`;
}

const withoutLoneSurrogates = (text: string): string => text.toWellFormed().replaceAll('\ufffd', '_');

/** Cut in the middle of the name, so that its extension stays. */
function cutName(name: string): string {
  if (Buffer.byteLength(name) <= longestNameBytes) return name;
  const dot = name.lastIndexOf('.');
  const extension = dot > 0 && name.length - dot <= 20 ? name.slice(dot) : '';
  const room = longestNameBytes - Buffer.byteLength(extension);
  let stem = name.slice(0, room);
  while (Buffer.byteLength(stem) > room) stem = stem.slice(0, -1);
  return withoutLoneSurrogates(stem) + extension;
}

const extensions: ReadonlyMap<string, string> = new Map([
  ['image/png', '.png'],
  ['image/jpeg', '.jpg'],
  ['image/webp', '.webp'],
  ['image/gif', '.gif'],
  ['video/mp4', '.mp4'],
  ['video/webm', '.webm'],
  ['audio/mpeg', '.mp3'],
  ['audio/wav', '.wav'],
  ['application/json', '.json'],
  ['application/pdf', '.pdf'],
  ['text/plain', '.txt'],
]);

/** What a `Content-Disposition` header says. Pure. */
export function toContentDisposition(kind: 'inline' | 'attachment', name: string): string {
  const plain = name.replace(/[^\x20-\x7e]|["\\]/g, '_');
  if (plain === name) return `${kind}; filename="${plain}"`;
  const encoded = encodeURIComponent(name).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `${kind}; filename="${plain}"; filename*=UTF-8''${encoded}`;
}
