import { Readable } from 'node:stream';
import { LannerError } from '@lanner/protocol';
import { z } from 'zod';
import { parseByteRange } from '../../files/byte-range.ts';
import { toContentDisposition } from '../../files/file-name.ts';
import type { DataVolume } from '../../files/volume/data-volume.ts';
import type { VolumeEntry } from '../../files/volume/list-folder.ts';
import { parseVolumePath, parseVolumeText, type VolumePath } from '../../files/volume/parse-volume-path.ts';
import { readJson } from './read-json.ts';
import type { RestDeps } from './rest-deps.ts';
import type { RestContext, RestRoute } from './rest-route.ts';
import { readUploadedPart } from './uploaded-part.ts';

const urlBody = z.object({ url: z.string().min(1).max(16_384) });
const renameBody = z.object({ destination: z.string().min(1).max(8_192) });
const hashBody = z.object({ hash: z.string().max(200) });
const completeBody = z.object({
  parts: z.array(z.object({ part_number: z.int(), etag: z.string().max(200) })).max(10_000),
});

const mebibyte = 1024 * 1024;
/** As long as the official client waits. */
const fetchTimeoutMs = 10 * 60_000;

/** The account's `/data`: list, download, upload, move, delete (rest-api 2.3, 2.5). */
export function createDataFileRoutes(deps: Pick<RestDeps, 'files'>): RestRoute[] {
  const { volume, fetchUrl, unpack } = deps.files;
  const accountOf = (context: RestContext): string => context.var.principal.accountId;

  const list = async (context: RestContext): Promise<Response> => {
    const entries = await volume.list(accountOf(context), pathAfter(context, '/files/list'));
    return context.json(entries.map(toFileSpec));
  };

  return [
    { method: 'GET', path: '/files/list', handle: list },
    { method: 'GET', path: '/files/list/*', handle: list },
    {
      method: 'GET',
      path: '/files/file/*',
      handle: (context) => download(context, volume, pathAfter(context, '/files/file')),
    },
    {
      method: 'DELETE',
      path: '/files/file/*',
      async handle(context) {
        await volume.remove(accountOf(context), pathAfter(context, '/files/file'));
        return context.json(true);
      },
    },
    {
      method: 'POST',
      path: '/files/file/local/*',
      async handle(context) {
        const path = pathAfter(context, '/files/file/local');
        const isArchive = context.req.query('unzip')?.toLowerCase() === 'true';
        await readUploadedPart(context.env.incoming, async (bytes) => {
          const incoming = { bytes, announcedBytes: null };
          if (isArchive) await unpack(accountOf(context), path, incoming);
          else await volume.writeFile(accountOf(context), path, incoming);
        });
        return context.json(true);
      },
    },
    {
      method: 'POST',
      path: '/files/file/url/*',
      async handle(context) {
        const path = pathAfter(context, '/files/file/url');
        const { url } = await readJson(context, urlBody);
        await fetchUrl(url, fetchTimeoutMs, (incoming) => volume.writeFile(accountOf(context), path, incoming));
        return context.json(true);
      },
    },
    {
      method: 'POST',
      path: '/files/rename/*',
      async handle(context) {
        const path = pathAfter(context, '/files/rename');
        const { destination } = await readJson(context, renameBody);
        await volume.rename(accountOf(context), path, parseVolumeText(destination));
        return context.json(true);
      },
    },
    {
      method: 'POST',
      path: '/files/dir/check_hash/*',
      async handle(context) {
        const path = pathAfter(context, '/files/dir/check_hash');
        const { hash } = await readJson(context, hashBody);
        return context.json(await holdsHash(volume, accountOf(context), path, hash));
      },
    },
    {
      method: 'POST',
      path: '/files/file/multipart/*',
      async handle(context) {
        const { encodedPath, action, uploadId } = parseMultipart(restAfter(context, '/files/file/multipart'));
        const accountId = accountOf(context);
        if (action === 'initiate') {
          parseVolumePath(encodedPath);
          return context.json({ upload_id: await volume.beginUpload(accountId) });
        }
        if (action === 'cancel') {
          await volume.cancelUpload(accountId, uploadId);
          return context.json({});
        }
        const { parts } = await readJson(context, completeBody, 2 * mebibyte);
        const { md5 } = await volume.completeUpload(
          accountId,
          parseVolumePath(encodedPath),
          uploadId,
          parts.map((part) => ({ partNumber: part.part_number, etag: part.etag })),
        );
        return context.json({ etag: md5 });
      },
    },
    {
      method: 'PUT',
      path: '/files/file/multipart/*',
      async handle(context) {
        const match = /\/([^/]+)\/([1-9]\d{0,4})$/.exec(restAfter(context, '/files/file/multipart'));
        if (match === null) throw unknownRoute(context);
        const partNumber = Number(match[2]);
        const { etag } = await readUploadedPart(context.env.incoming, (bytes) =>
          volume.putPart(accountOf(context), match[1]!, partNumber, bytes),
        );
        return context.json({ part_number: partNumber, etag });
      },
    },
  ];

  function parseMultipart(rest: string): { encodedPath: string; action: string; uploadId: string } {
    const initiate = /^(.+)\/initiate$/.exec(rest);
    if (initiate !== null) return { encodedPath: initiate[1]!, action: 'initiate', uploadId: '' };
    const match = /^(.+)\/([^/]+)\/(complete|cancel)$/.exec(rest);
    if (match === null) {
      throw new LannerError('not_found', 'The paths here end in /initiate, or /{upload_id}/complete or /cancel.');
    }
    return { encodedPath: match[1]!, uploadId: match[2]!, action: match[3]! };
  }
}

/**
 * What follows the route's own part, as it stands in the URL: a framework's path has its escapes and dots resolved already.
 * `/files/list//data/x` gives `/data/x`.
 */
function restAfter(context: RestContext, base: string): string {
  const path = (context.env.incoming.url ?? '').split('?')[0]!;
  if (path === base) return '';
  if (!path.startsWith(`${base}/`)) throw unknownRoute(context);
  return path.slice(base.length + 1);
}

const pathAfter = (context: RestContext, base: string): VolumePath => parseVolumePath(restAfter(context, base));

async function download(context: RestContext, volume: DataVolume, path: VolumePath): Promise<Response> {
  const file = await volume.openFile(context.var.principal.accountId, path);
  const headers: Record<string, string> = {
    'content-type': 'application/octet-stream',
    'x-content-type-options': 'nosniff',
    'content-disposition': toContentDisposition('attachment', String(path.at(-1) ?? 'data')),
    'accept-ranges': 'bytes',
    'last-modified': new Date(file.modifiedAtMs).toUTCString(),
    'cache-control': 'no-store',
  };
  const range = parseByteRange(context.req.header('range'), file.sizeBytes);
  if (range === 'unsatisfiable') {
    await file.close();
    context.header('content-range', `bytes */${file.sizeBytes}`);
    throw new LannerError('range_not_satisfiable', `The file has ${file.sizeBytes} bytes.`);
  }
  const { first, last } = range ?? { first: 0, last: file.sizeBytes - 1 };
  headers['content-length'] = String(last - first + 1);
  if (range !== null) headers['content-range'] = `bytes ${first}-${last}/${file.sizeBytes}`;
  for (const [name, value] of Object.entries(headers)) context.header(name, value);
  const status = range === null ? 200 : 206;
  if (last < first || context.req.method === 'HEAD') {
    await file.close();
    return context.body(null, status);
  }
  return context.body(Readable.toWeb(file.stream({ first, last })) as ReadableStream, status);
}

/** The hash that a synchronised folder carries in a file of its own (rest-api 2.5). */
async function holdsHash(volume: DataVolume, accountId: string, path: VolumePath, hash: string): Promise<boolean> {
  const file = await volume.openFile(accountId, [...path, Buffer.from('.fal_hash')]).catch((error: unknown) => {
    if (error instanceof LannerError) return null;
    throw error;
  });
  if (file === null) return false;
  if (file.sizeBytes === 0 || file.sizeBytes > 200) {
    await file.close();
    return false;
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of file.stream({ first: 0, last: file.sizeBytes - 1 })) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks).toString().trim() === hash;
}

/** Field names and units of the official model: seconds since the epoch. */
function toFileSpec(entry: VolumeEntry): object {
  return {
    path: entry.path,
    name: entry.name,
    size: entry.sizeBytes,
    is_file: entry.isFile,
    created_time: entry.createdAtMs / 1000,
    updated_time: entry.modifiedAtMs / 1000,
  };
}

const unknownRoute = (context: RestContext): LannerError =>
  new LannerError('not_found', `The route ${context.req.path.slice(0, 200)} was not found.`);
