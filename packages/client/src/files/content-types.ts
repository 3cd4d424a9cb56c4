/** Types by the end of a name: what models take and give. */
const types: Record<string, string> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  webp: 'image/webp',
  gif: 'image/gif',
  svg: 'image/svg+xml',
  mp4: 'video/mp4',
  webm: 'video/webm',
  mov: 'video/quicktime',
  mp3: 'audio/mpeg',
  wav: 'audio/wav',
  flac: 'audio/flac',
  ogg: 'audio/ogg',
  txt: 'text/plain',
  csv: 'text/csv',
  md: 'text/markdown',
  html: 'text/html',
  json: 'application/json',
  pdf: 'application/pdf',
  zip: 'application/zip',
};

export const unknownType = 'application/octet-stream';

/** The content type that a name tells. */
export function guessContentType(name: string | undefined): string {
  const end = /\.(\w{1,8})$/.exec(name ?? '')?.[1]?.toLowerCase();
  return (end === undefined ? undefined : types[end]) ?? unknownType;
}

/** A name for something without one. */
export function inventName(contentType: string): string {
  const end = Object.entries(types).find(([, type]) => type === contentType.split(';')[0]!.trim())?.[0] ?? 'bin';
  return `upload.${end}`;
}
