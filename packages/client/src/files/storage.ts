import { ConnectionError, ServerError, isClientError } from '../errors/client-error.ts';
import type { Settings } from '../resolve/settings.ts';
import type { CallOptions } from '../transport/call-options.ts';
import { answerError, type HttpClient } from '../transport/http-client.ts';
import type { HttpRequest } from '../transport/http-transport.ts';
import { withRetries, type RetryPolicy } from '../transport/retry.ts';
import { guessContentType, inventName, unknownType } from './content-types.ts';
import { replaceBlobs } from './replace-blobs.ts';
import { lifecycleHeaders, type FileAccess, type StorageUploadOptions } from './upload-options.ts';
import { gatherParts, toBody, toUploadSource, type OpenFile, type UploadContent } from './upload-source.ts';

const mebibyte = 1024 * 1024;
/** As the official client has it: larger ones go in parts, which can be sent again one by one. */
const wholeBytes = 90 * mebibyte;
const partBytes = 10 * mebibyte;
const parallelParts = 4;

const putPolicy: RetryPolicy = {
  attempts: 3,
  firstDelayMs: 500,
  longestDelayMs: 5000,
  jitter: 0.3,
  shouldRetry: (error) =>
    isClientError(error) &&
    (error.code === 'connection_lost' ||
      (error instanceof ServerError && [408, 429, 500, 502, 503, 504].includes(error.status ?? 0))),
};

interface Part {
  partNumber: number;
  etag: string;
}

/** The headers and the place of one upload. */
interface Begun {
  fileUrl: string;
  uploadUrl: URL;
  contentType: string;
  call: CallOptions;
}

/**
 * Files for inputs of apps: what is uploaded gets a URL that apps, browsers and everybody who knows it can read, unless its
 * access says otherwise. (Files below `/data` are `client.files`.)
 *
 * @example
 * ```ts
 * const url = await client.storage.upload(new Blob(['hello'], { type: 'text/plain' }));
 * await client.run('me/my-app', { input: { file_url: url } });
 * ```
 */
export class StorageNamespace {
  readonly #settings: Settings;
  readonly #http: HttpClient;
  readonly #openFile: OpenFile | undefined;

  /** @internal */
  constructor(settings: Settings, http: HttpClient, openFile?: OpenFile) {
    this.#settings = settings;
    this.#http = http;
    this.#openFile = openFile;
  }

  /**
   * Uploads a file and returns its URL. Large ones and streams go in parts of 10 MiB.
   * @throws ConfigurationError `invalid_argument`, `file_not_found` for what cannot be read; connection and server errors.
   *
   * @example
   * ```ts
   * console.log(await client.storage.upload(new Blob(['hello'], { type: 'text/plain' })));
   * ```
   */
  async upload(content: UploadContent, options: StorageUploadOptions = {}): Promise<string> {
    const headers = lifecycleHeaders(options);
    const source = await toUploadSource(content, this.#openFile);
    const timeout = options.timeoutMs === undefined ? undefined : AbortSignal.timeout(options.timeoutMs);
    const signals = [options.signal, timeout].filter((signal) => signal !== undefined);
    const signal = signals.length > 1 ? AbortSignal.any(signals) : signals[0];
    const whole = { ...options, signal, timeoutMs: undefined };
    try {
      return source.kind === 'blob'
        ? await this.#uploadBlob(source, whole, headers)
        : await this.#uploadStream(source.bytes, whole, headers);
    } catch (error) {
      if (!timeout?.aborted || options.signal?.aborted) throw error;
      throw new ConnectionError('timed_out', `The upload was not complete within ${options.timeoutMs} ms.`, {
        cause: error,
        advice: 'Give a larger timeoutMs.',
      });
    }
  }

  /**
   * Who may read a file of this account.
   *
   * @example
   * ```ts
   * console.log(await client.storage.readAccess('https://localhost:8443/cdn/files/a/b.png'));
   * ```
   */
  async readAccess(fileUrl: string, options: CallOptions = {}): Promise<FileAccess> {
    return (await this.#http.json(this.#aclUrl(fileUrl), options)) as FileAccess;
  }

  /**
   * Changes who may read a file of this account.
   *
   * @example
   * ```ts
   * await client.storage.setAccess('https://localhost:8443/cdn/files/a/b.png', { default: 'forbid' });
   * ```
   */
  async setAccess(fileUrl: string, access: FileAccess, options: CallOptions = {}): Promise<void> {
    await this.#http.json(this.#aclUrl(fileUrl), { ...asJson(access), ...options, method: 'PUT' });
  }

  /**
   * A link to a file of this account that everybody can read for `expiresIn` seconds, a week at most.
   *
   * @example
   * ```ts
   * console.log(await client.storage.signUrl('https://localhost:8443/cdn/files/a/b.png', 3600));
   * ```
   */
  async signUrl(fileUrl: string, expiresIn: number, options: CallOptions = {}): Promise<string> {
    const url = `${this.#settings.hosts().accountUrl}/storage/files/sign?${query(fileUrl)}`;
    const body = asJson({ expiration_seconds: expiresIn });
    return ((await this.#http.json(url, { ...body, ...options, method: 'POST' })) as { signed_url: string }).signed_url;
  }

  /**
   * The input of a call with every Blob and File in it uploaded and replaced by its URL.
   * @internal
   */
  transformInput<Input>(input: Input, options: CallOptions): Promise<Input> | Input {
    return replaceBlobs(input, (blob) => this.upload(blob, options));
  }

  async #uploadBlob(
    source: { blob: Blob; name: string | undefined; type: string | undefined },
    options: StorageUploadOptions,
    headers: Record<string, string>,
  ): Promise<string> {
    const { blob } = source;
    const name = options.fileName ?? source.name;
    const contentType = options.contentType ?? source.type ?? guessContentType(name);
    const isWhole = blob.size <= wholeBytes;
    const begun = await this.#begin(isWhole, name ?? inventName(contentType), contentType, options, headers);
    const report = (uploadedBytes: number): void => options.onProgress?.({ uploadedBytes, totalBytes: blob.size });
    if (isWhole) {
      await this.#put(begun, begun.uploadUrl.href, { body: toBody(blob, report) });
      return begun.fileUrl;
    }
    const sent = new Map<number, number>();
    const count = Math.ceil(blob.size / partBytes);
    const numbers = Array.from({ length: count }, (_, index) => index + 1);
    const parts: Part[] = [];
    const worker = async (): Promise<void> => {
      for (let number = numbers.shift(); number !== undefined; number = numbers.shift()) {
        const own = number;
        const piece = blob.slice((own - 1) * partBytes, own * partBytes);
        const body = toBody(piece, (bytes) => {
          sent.set(own, bytes);
          report([...sent.values()].reduce((sum, value) => sum + value, 0));
        });
        parts.push(await this.#putPart(begun, own, { body }));
      }
    };
    try {
      await Promise.all(Array.from({ length: Math.min(parallelParts, count) }, worker));
    } finally {
      // After a failure the other workers begin no more parts.
      numbers.length = 0;
    }
    return this.#complete(begun, parts);
  }

  async #uploadStream(
    bytes: AsyncIterable<Uint8Array>,
    options: StorageUploadOptions,
    headers: Record<string, string>,
  ): Promise<string> {
    const contentType = options.contentType ?? guessContentType(options.fileName);
    const name = options.fileName ?? inventName(contentType);
    let uploadedBytes = 0;
    let begun: Begun | undefined;
    const parts: Part[] = [];
    for await (const part of gatherParts(bytes, partBytes)) {
      options.signal?.throwIfAborted();
      const isAll = begun === undefined && part.length < partBytes;
      begun ??= await this.#begin(isAll, name, contentType, options, headers);
      if (isAll) await this.#put(begun, begun.uploadUrl.href, { body: part });
      else parts.push(await this.#putPart(begun, parts.length + 1, { body: part }));
      uploadedBytes += part.length;
      options.onProgress?.({ uploadedBytes, totalBytes: null });
      if (isAll) return begun.fileUrl;
    }
    return this.#complete(begun!, parts);
  }

  async #begin(
    isWhole: boolean,
    name: string,
    contentType: string,
    options: StorageUploadOptions,
    headers: Record<string, string>,
  ): Promise<Begun> {
    const action = isWhole ? 'initiate' : 'initiate-multipart';
    const url = `${this.#settings.hosts().accountUrl}/storage/upload/${action}?storage_type=fal-cdn-v3`;
    const request = asJson({ file_name: name, content_type: contentType });
    const answer = (await this.#http.json(url, {
      ...request,
      headers: { ...request.headers, ...headers },
      method: 'POST',
      signal: options.signal,
    })) as { file_url?: unknown; upload_url?: unknown };
    if (typeof answer.file_url !== 'string' || typeof answer.upload_url !== 'string') {
      throw new ServerError('unexpected_answer', 'The server did not say where to upload to.');
    }
    const uploadUrl = new URL(answer.upload_url);
    return { fileUrl: answer.file_url, uploadUrl, contentType, call: { signal: options.signal } };
  }

  /** The URL is the permission, so nothing is signed: it may be another service's. */
  #put(begun: Begun, url: string, request: HttpRequest): Promise<Response> {
    return withRetries(putPolicy, begun.call.signal, async () => {
      const response = await this.#http.sendUnsigned(url, {
        ...begun.call,
        ...request,
        method: 'PUT',
        headers: { 'content-type': begun.contentType === '' ? unknownType : begun.contentType },
      });
      if (!response.ok) throw answerError(response, await response.text());
      return response;
    });
  }

  async #putPart(begun: Begun, partNumber: number, request: HttpRequest): Promise<Part> {
    const response = await this.#put(begun, below(begun.uploadUrl, String(partNumber)), request);
    const header = response.headers.get('etag');
    const body = (await response.json().catch(() => null)) as { etag?: unknown } | null;
    const etag = header ?? (typeof body?.etag === 'string' ? body.etag : null);
    if (etag === null) throw new ServerError('unexpected_answer', `The server gave no ETag to part ${partNumber}.`);
    return { partNumber, etag };
  }

  async #complete(begun: Begun, parts: Part[]): Promise<string> {
    const ordered = parts.toSorted((left, right) => left.partNumber - right.partNumber);
    await withRetries(putPolicy, begun.call.signal, async () => {
      const url = below(begun.uploadUrl, 'complete');
      const response = await this.#http.sendUnsigned(url, {
        ...begun.call,
        ...asJson({ parts: ordered }),
        method: 'POST',
      });
      if (!response.ok) throw answerError(response, await response.text());
      await response.body?.cancel();
    });
    return begun.fileUrl;
  }

  #aclUrl(fileUrl: string): string {
    return `${this.#settings.hosts().accountUrl}/storage/files/acl?${query(fileUrl)}`;
  }
}

const query = (fileUrl: string): string => new URLSearchParams({ url: fileUrl }).toString();

/** `{path}/{end}` with the query kept, as the parts of an upload are addressed. */
function below(url: URL, end: string): string {
  return `${url.origin}${url.pathname}/${end}${url.search}`;
}

function asJson(value: unknown): { headers: Record<string, string>; body: string } {
  return { headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) };
}
