import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { LannerError, type Clock } from '@lanner/protocol';
import { z } from 'zod';
import { createCallHandler, type HttpCall } from '../gateway/call-handler.ts';
import { breakAnswer, type AnyResponse } from '../gateway/caller.ts';
import { sendJson, writeHead } from '../gateway/answer.ts';
import type { FileHostConfig } from '../config/own-file-urls.ts';
import type { Logger } from '../observe/logger.ts';
import type { AnyRequest, Route } from '../ports/route.ts';
import { decideAccess } from './acl.ts';
import { readSmallJson, toIncoming } from './body.ts';
import { toContentType } from './content-type.ts';
import { toFileName } from './file-name.ts';
import { createReadSignature, createUploadTicket, isReadSignature, readUploadTicket } from './file-tokens.ts';
import { fileBaseUrl, toFileUrl } from './file-urls.ts';
import { parseLifecycleHeaders } from './lifecycle.ts';
import type { ObjectContent, ObjectPart, StoredObject } from './object-store.ts';
import type { ListedPart, Objects, UploadFacts } from './objects.ts';
import { parseCdnPath, type CdnOperation } from './parse-cdn-path.ts';
import { toReadAnswer } from './read-answer.ts';
import type { Signer } from './signatures.ts';
import type { FileCallers } from './uploader.ts';

export interface CdnHandlerDeps {
  objects: Objects;
  callers: FileCallers;
  signer: Signer;
  urls: FileHostConfig;
  tlsPort: () => number;
  clock: Clock;
  log: Logger;
}

const largestJsonBytes = 2 * 1024 ** 2;
const signingDefaultSeconds = 24 * 60 * 60;
const signingLongestSeconds = 7 * 24 * 60 * 60;

/** Both spellings of the official clients (rest-api 2.10). */
const partsBody = z.object({
  parts: z
    .array(
      z.object({
        partNumber: z.int().optional(),
        part_number: z.int().optional(),
        etag: z.string().max(200).nullish(),
      }),
    )
    .max(10_000),
});

const signBody = z.object({
  duration: z.int().min(1).max(signingLongestSeconds).default(signingDefaultSeconds),
  scope: z.array(z.literal('read')).optional(),
});

/** The file host over HTTP (data-plane 6). Never throws. */
export function createCdnHandler(
  deps: CdnHandlerDeps,
): (request: AnyRequest, response: AnyResponse, route: Route) => void {
  const { objects, callers, signer, clock } = deps;
  const log = deps.log.child({ component: 'files' });

  const baseUrl = (route: Route): string => fileBaseUrl(route.origin, deps.urls, deps.tlsPort());

  const answer = (call: HttpCall, status: number, body: unknown): void => {
    call.status = status;
    sendJson(call.response, status, call.requestId, body);
  };

  const factsOf = async (call: HttpCall): Promise<UploadFacts> => {
    const { headers } = call.request;
    const { accountId } = await callers.require(headers.authorization, 'storage:files:write');
    call.accountId = accountId;
    const contentType = toContentType(headers['content-type']);
    return {
      accountId,
      contentType,
      fileName: toFileName(decodeHeaderText(headers['x-fal-file-name']), contentType),
      lifecycle: parseLifecycleHeaders((name) => headers[name] as string | undefined),
    };
  };

  const answerWithEtag = (call: HttpCall, etag: string, content: Record<string, unknown>): void => {
    call.status = 200;
    const body = JSON.stringify(content);
    writeHead(call.response, 200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      etag: `"${etag}"`,
      'x-fal-request-id': call.requestId,
    });
    call.response.end(body);
  };

  const answerPart = (call: HttpCall, { partNumber, etag }: ObjectPart): void =>
    answerWithEtag(call, etag, { partNumber, part_number: partNumber, etag });

  const answerStored = (call: HttpCall, object: StoredObject & { content: ObjectContent | null }): void => {
    const url = toFileUrl(baseUrl(call.route), object);
    const etag = object.content?.etag;
    answerWithEtag(call, etag ?? '', { access_url: url, file_url: url, etag });
  };

  /** The object of a token-authenticated call about an object of the caller's own. */
  const ownObject = async (call: HttpCall, objectId: string): Promise<StoredObject> => {
    const { accountId } = await callers.require(call.request.headers.authorization, 'storage:files:write');
    call.accountId = accountId;
    const object = await objects.find(objectId);
    if (object?.accountId !== accountId) throw noSuchFile();
    return object;
  };

  const ticketObject = (ticket: string): string => {
    const objectId = readUploadTicket(signer, ticket);
    if (objectId === null) throw new LannerError('file_access_denied', 'This upload URL was not made here.');
    return objectId;
  };

  const listedParts = async (call: HttpCall): Promise<ListedPart[]> => {
    const parsed = partsBody.safeParse(await readSmallJson(call.request, largestJsonBytes));
    const parts = parsed.data?.parts.map((part) => ({
      partNumber: part.partNumber ?? part.part_number,
      etag: part.etag ?? null,
    }));
    if (parts === undefined || parts.some((part) => part.partNumber === undefined)) {
      throw new LannerError('invalid_argument', 'The body must be {"parts": [{"partNumber": 1, "etag": "…"}, …]}.');
    }
    return parts as ListedPart[];
  };

  const read = async (call: HttpCall, objectId: string): Promise<void> => {
    const { request, response } = call;
    const leaving = new AbortController();
    response.once('close', () => leaving.abort());
    const found = await objects.find(objectId);
    if (found === null) throw noSuchFile();
    const reader = await callers.identify(request.headers.authorization);
    call.accountId = reader?.accountId ?? null;
    const identity = new URLSearchParams(call.route.path.split('?')[1] ?? '').get('identity');
    const isSigned = identity !== null && isReadSignature(signer, clock, objectId, identity);
    const decision = isSigned ? 'allow' : decideAccess(found.acl, found.accountId, reader);
    if (decision === 'hide') throw noSuchFile();
    if (decision === 'forbid')
      throw new LannerError('file_access_denied', 'The owner of this file does not let you read it.');
    const object = await objects.whenStored(found, leaving.signal);
    if (object?.content === null || object?.content === undefined) {
      throw new LannerError('not_found', 'The upload of this file is not complete yet.');
    }
    const isPublic = object.acl === null && !isSigned;
    const stored = { ...object, content: object.content };
    const { status, headers, range } = toReadAnswer(stored, conditionsOf(request), isPublic, clock);
    headers['x-fal-request-id'] = call.requestId;
    call.status = status;
    if (range === null || request.method === 'HEAD') {
      writeHead(response, status, headers);
      response.end();
      return;
    }
    const bytes = await objects.read(stored, range);
    writeHead(response, status, headers);
    call.sentBytes = range.last - range.first + 1;
    await pipeline(bytes as Readable, response as NodeJS.WritableStream).catch(() => {
      if (!response.writableEnded) breakAnswer(response);
    });
  };

  const handlers: {
    [Kind in CdnOperation['kind']]: (call: HttpCall, operation: CdnOperation & { kind: Kind }) => Promise<void>;
  } = {
    async upload(call) {
      const facts = await factsOf(call);
      answerStored(call, await objects.upload(facts, toIncoming(call.request)));
    },
    async 'begin-multipart'(call) {
      const object = await objects.open(await factsOf(call));
      answer(call, 200, {
        access_url: toFileUrl(baseUrl(call.route), object),
        uploadId: createUploadTicket(signer, object.objectId),
      });
    },
    read: (call, { objectId }) => read(call, objectId),
    async remove(call, { objectId }) {
      await objects.remove(await ownObject(call, objectId));
      call.status = 204;
      writeHead(call.response, 204, { 'x-fal-request-id': call.requestId });
      call.response.end();
    },
    async sign(call, { objectId }) {
      const object = await ownObject(call, objectId);
      const parsed = signBody.safeParse(await readSmallJson(call.request, largestJsonBytes));
      if (!parsed.success) {
        throw new LannerError(
          'invalid_argument',
          `The body must be {"duration": seconds, "scope": ["read"]} with 1 to ${signingLongestSeconds} seconds.`,
        );
      }
      const signature = createReadSignature(signer, objectId, clock.nowMs() + parsed.data.duration * 1000);
      const text = `${toFileUrl(baseUrl(call.route), object)}?identity=${signature}`;
      call.status = 200;
      writeHead(call.response, 200, {
        'content-type': 'text/plain; charset=utf-8',
        'content-length': Buffer.byteLength(text),
        'x-fal-request-id': call.requestId,
      });
      call.response.end(text);
    },
    async 'object-part'(call, { objectId, uploadId, partNumber }) {
      await ownObject(call, objectId);
      if (ticketObject(uploadId) !== objectId) throw noSuchFile();
      answerPart(call, await objects.putPart(objectId, partNumber, toIncoming(call.request)));
    },
    async 'object-complete'(call, { objectId, uploadId }) {
      await ownObject(call, objectId);
      if (ticketObject(uploadId) !== objectId) throw noSuchFile();
      answerStored(call, await objects.complete(objectId, await listedParts(call)));
    },
    async 'ticket-whole'(call, { ticket }) {
      answerStored(call, await objects.putWhole(ticketObject(ticket), toIncoming(call.request)));
    },
    async 'ticket-part'(call, { ticket, partNumber }) {
      answerPart(call, await objects.putPart(ticketObject(ticket), partNumber, toIncoming(call.request)));
    },
    async 'ticket-part-url'(call, { ticket, partNumber }) {
      ticketObject(ticket);
      answer(call, 200, { upload_url: `${baseUrl(call.route)}/uploads/${ticket}/${partNumber}` });
    },
    async 'ticket-complete'(call, { ticket }) {
      answerStored(call, await objects.complete(ticketObject(ticket), await listedParts(call)));
    },
    async 'other-method'(call, { allowed }) {
      call.response.setHeader('allow', allowed);
      throw new LannerError('method_not_allowed', `This path has no method ${call.request.method}; it has ${allowed}.`);
    },
  };

  const serve = async (call: HttpCall): Promise<void> => {
    const operation = parseCdnPath(call.request.method ?? 'GET', call.route.path);
    if (operation === null) throw noSuchFile();
    const handle = handlers[operation.kind] as (call: HttpCall, operation: CdnOperation) => Promise<void>;
    await handle(call, operation);
  };

  return createCallHandler({ role: 'cdn', clock, log, serve });
}

function conditionsOf(request: AnyRequest): Parameters<typeof toReadAnswer>[1] {
  const { headers } = request;
  return {
    range: request.method === 'HEAD' ? undefined : headers.range,
    'if-range': headers['if-range'] as string | undefined,
    'if-match': headers['if-match'],
    'if-none-match': headers['if-none-match'],
    'if-modified-since': headers['if-modified-since'],
    'if-unmodified-since': headers['if-unmodified-since'],
  };
}

/** Header bytes beyond ASCII come as Latin-1; clients that send UTF-8 meant UTF-8. */
function decodeHeaderText(value: string | string[] | undefined): string | undefined {
  if (typeof value !== 'string') return undefined;
  const bytes = Buffer.from(value, 'latin1');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return value;
  }
}

function noSuchFile(): LannerError {
  return new LannerError('not_found', 'There is no such file: it was never uploaded, has expired, or was deleted.');
}
