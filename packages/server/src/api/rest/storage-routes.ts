import { LannerError } from '@lanner/protocol';
import { z } from 'zod';
import type { Acl } from '../../files/acl.ts';
import { parseAcl } from '../../files/acl.ts';
import { toContentType } from '../../files/content-type.ts';
import { toFileName } from '../../files/file-name.ts';
import { parseLifecycleHeaders, toLifecycle } from '../../files/lifecycle.ts';
import { readJson } from './read-json.ts';
import type { RestDeps } from './rest-deps.ts';
import type { RestContext, RestRoute } from './rest-route.ts';
import { toTimestamp } from './timestamps.ts';

const fileSecondsMost = 7 * 24 * 60 * 60;

const tokenBody = z.object({ expiration_seconds: z.number().positive().nullish() });

const uploadBody = z.object({
  file_name: z.string().max(4096).nullish(),
  content_type: z.string().max(1024).nullish(),
});

const signBody = z.object({ expiration_seconds: z.int().min(1).max(fileSecondsMost) });

const settingsBody = z.object({
  expiration_duration_seconds: z.int().positive().nullish(),
  initial_acl: z.unknown().optional(),
});

const storageTypes: ReadonlySet<string> = new Set(['fal-cdn-v3', 'fal-cdn', 'gcs']);

/** Uploading to the file host, and what holds for uploaded files (rest-api 2.10, 5.2). */
export function createStorageRoutes({ files }: Pick<RestDeps, 'files'>): RestRoute[] {
  const { storage } = files;

  const initiate = async (context: RestContext): Promise<Response> => {
    const type = context.req.query('storage_type') ?? 'fal-cdn-v3';
    if (!storageTypes.has(type)) {
      throw new LannerError(
        'invalid_argument',
        `Unknown storage_type ${JSON.stringify(type.slice(0, 100))}. Known: ${[...storageTypes].join(', ')}.`,
      );
    }
    const body = await readJson(context, uploadBody);
    const contentType = toContentType(body.content_type);
    const { fileUrl, uploadUrl } = await storage.open(context.env.origin, {
      accountId: context.var.principal.accountId,
      contentType,
      fileName: toFileName(body.file_name, contentType),
      lifecycle: parseLifecycleHeaders((name) => context.req.header(name)),
    });
    return context.json({ file_url: fileUrl, upload_url: uploadUrl });
  };

  const urlOf = (context: RestContext): string => {
    const url = context.req.query('url');
    if (url === undefined) throw new LannerError('invalid_argument', 'The query parameter "url" is missing.');
    return url;
  };

  return [
    {
      method: 'POST',
      path: '/storage/auth/token',
      async handle(context) {
        const { expiration_seconds: seconds } = hasBody(context) ? await readJson(context, tokenBody) : {};
        const { principal } = context.var;
        const { token, baseUrl, expiresAtMs } = storage.createToken(
          context.env.origin,
          principal,
          seconds ?? undefined,
        );
        return context.json({
          token,
          token_type: 'Bearer',
          base_url: baseUrl,
          expires_at: toTimestamp(expiresAtMs),
        });
      },
    },
    { method: 'POST', path: '/storage/upload/initiate', handle: initiate },
    { method: 'POST', path: '/storage/upload/initiate-multipart', handle: initiate },
    {
      method: 'GET',
      path: '/storage/files/acl',
      handle: async (context) => context.json(await storage.readAcl(context.var.principal.accountId, urlOf(context))),
    },
    {
      method: 'PUT',
      path: '/storage/files/acl',
      async handle(context) {
        const acl: Acl = parseAcl(await readJson(context, z.unknown()));
        await storage.writeAcl(context.var.principal.accountId, urlOf(context), acl);
        return context.json(acl);
      },
    },
    {
      method: 'POST',
      path: '/storage/files/sign',
      async handle(context) {
        const { expiration_seconds: seconds } = await readJson(context, signBody);
        const { accountId } = context.var.principal;
        return context.json({ signed_url: await storage.signUrl(accountId, urlOf(context), seconds) });
      },
    },
    {
      method: 'GET',
      path: '/storage/settings',
      handle: async (context) => context.json(toBody(await storage.settings(context.var.principal.accountId))),
    },
    {
      method: 'PUT',
      path: '/storage/settings',
      async handle(context) {
        const said = toLifecycle(await readJson(context, settingsBody));
        const settings = { lifetimeMs: said.lifetimeMs ?? null, acl: said.acl ?? null };
        await storage.setSettings(context.var.principal.accountId, settings);
        return context.json(toBody(settings));
      },
    },
  ];
}

const hasBody = (context: RestContext): boolean =>
  context.req.header('transfer-encoding') !== undefined || (context.req.header('content-length') ?? '0') !== '0';

function toBody({ lifetimeMs, acl }: { lifetimeMs: number | null; acl: Acl | null }): object {
  return { expiration_duration_seconds: lifetimeMs === null ? null : lifetimeMs / 1000, initial_acl: acl };
}
