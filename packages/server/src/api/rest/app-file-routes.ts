import { z } from 'zod';
import { LannerError } from '@lanner/protocol';
import { readJson } from './read-json.ts';
import type { RestDeps } from './rest-deps.ts';
import type { RestContext, RestRoute } from './rest-route.ts';
import { readUploadedPart } from './uploaded-part.ts';

const mostHashes = 100_000;
const mostParts = 10_000;

const missingHashesBody = z.object({ hashes: z.array(z.string().max(200)).max(mostHashes) });

/** Numbers come as text; newer clients may add members. */
const metadata = z.object({
  size: z.string().max(40).optional(),
  mtime: z.string().max(40).optional(),
  mode: z.string().max(40).optional(),
  hash: z.string().max(200).optional(),
});

const completeBody = z.object({
  parts: z.array(z.object({ part_number: z.number().int(), etag: z.string().max(200) })).max(mostParts),
  metadata: metadata.default({}),
});

const mebibyte = 1024 * 1024;

/** Uploading the files of an app by content, in parts (rest-api 2.4). */
export function createAppFileRoutes(deps: Pick<RestDeps, 'appFiles'>): RestRoute[] {
  const base = '/files/app/multipart/:hash';
  const uploadOf = (context: RestContext): { accountId: string; hash: string; uploadId: string } => ({
    accountId: context.var.principal.accountId,
    hash: context.req.param('hash') ?? '',
    uploadId: context.req.param('uploadId') ?? '',
  });

  return [
    {
      method: 'POST',
      path: '/files/missing_hashes',
      async handle(context) {
        const { hashes } = await readJson(context, missingHashesBody, 16 * mebibyte);
        return context.json(await deps.appFiles.missing(context.var.principal.accountId, hashes));
      },
    },
    {
      method: 'POST',
      path: `${base}/initiate`,
      async handle(context) {
        const { accountId, hash } = uploadOf(context);
        const { uploadId } = await deps.appFiles.initiate(
          accountId,
          hash,
          withoutUndefined(await readJson(context, metadata)),
        );
        return context.json({ upload_id: uploadId });
      },
    },
    {
      method: 'PUT',
      path: `${base}/:uploadId/:partNumber`,
      async handle(context) {
        const { accountId, hash, uploadId } = uploadOf(context);
        const partNumber = parsePartNumber(context.req.param('partNumber') ?? '');
        const { etag } = await readUploadedPart(context.env.incoming, (bytes) =>
          deps.appFiles.putPart(accountId, hash, uploadId, partNumber, bytes),
        );
        return context.json({ part_number: partNumber, etag });
      },
    },
    {
      method: 'POST',
      path: `${base}/:uploadId/complete`,
      async handle(context) {
        const { accountId, hash, uploadId } = uploadOf(context);
        const body = await readJson(context, completeBody, 2 * mebibyte);
        const parts = body.parts.map((part) => ({ partNumber: part.part_number, etag: part.etag }));
        const { etag } = await deps.appFiles.complete(
          accountId,
          hash,
          uploadId,
          parts,
          withoutUndefined(body.metadata),
        );
        return context.json({ etag });
      },
    },
    {
      method: 'POST',
      path: `${base}/:uploadId/cancel`,
      async handle(context) {
        const { accountId, hash, uploadId } = uploadOf(context);
        await deps.appFiles.cancel(accountId, hash, uploadId);
        return context.json({});
      },
    },
  ];
}

function parsePartNumber(text: string): number {
  if (!/^[1-9][0-9]{0,4}$/.test(text)) {
    throw new LannerError(
      'invalid_argument',
      `The part number ${JSON.stringify(text.slice(0, 40))} is no whole number from 1 on.`,
    );
  }
  return Number(text);
}

/** Absent members instead of undefined ones, as the domain's types want it. */
function withoutUndefined<T extends object>(value: T): { [Key in keyof T]: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as never;
}
