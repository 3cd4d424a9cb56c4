import { createWriteStream } from 'node:fs';
import { mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream as NodeReadableStream } from 'node:stream/web';
import { partForm, PieceBuffers, type FilePart } from '../deploy/file-part.ts';
import { ConnectionError, ServerError, isClientError } from '../errors/client-error.ts';
import type { Settings } from '../resolve/settings.ts';
import type { CallOptions } from '../transport/call-options.ts';
import { answerError, readJson, type HttpClient } from '../transport/http-client.ts';
import type { HttpRequest } from '../transport/http-transport.ts';
import { withRetries, type RetryPolicy } from '../transport/retry.ts';
import { changedFile, findLocalFiles, md5Of, type LocalFile } from './local-files.ts';
import { encodeRemotePath, toRemotePath } from './remote-path.ts';
import type { UploadProgress } from './upload-options.ts';

/**
 * An entry of a folder in the data volume.
 *
 * @example
 * ```ts
 * const entries: FileEntry[] = await client.files.list('/data');
 * ```
 */
export interface FileEntry {
  /** `/data/…`. */
  path: string;
  name: string;
  isFile: boolean;
  sizeBytes: number;
  updatedAt: Date;
}

/**
 * How to move files.
 *
 * @example
 * ```ts
 * const options: FilesTransferOptions = { timeoutMs: 600_000 };
 * ```
 */
export interface FilesTransferOptions extends CallOptions {
  /** Told as bytes go; over all files of a folder. */
  onProgress?: ((progress: UploadProgress) => void) | undefined;
}

const mebibyte = 1024 * 1024;
/** As the official client has it. */
const partBytes = 10 * mebibyte;
const parallelParts = 4;

const partPolicy: RetryPolicy = {
  attempts: 3,
  firstDelayMs: 1000,
  longestDelayMs: 2000,
  jitter: 0.2,
  shouldRetry: (error) =>
    isClientError(error) &&
    (error.code === 'connection_lost' ||
      (error instanceof ServerError && (error.status === 429 || (error.status ?? 0) >= 500))),
};

interface RawEntry {
  path: string;
  size: number;
  is_file: boolean;
  updated_time: number | string;
}

/**
 * The account's data volume, which its runners see as `/data`: `fal files …`. Remote paths are absolute, or relative to `/data`.
 *
 * @example
 * ```ts
 * await client.files.upload('weights', '/data/weights');
 * for (const entry of await client.files.list('/data/weights')) console.log(entry.path);
 * ```
 */
export class FilesNamespace {
  readonly #settings: Settings;
  readonly #http: HttpClient;
  readonly #buffers = new PieceBuffers();

  /** @internal */
  constructor(settings: Settings, http: HttpClient) {
    this.#settings = settings;
    this.#http = http;
  }

  /**
   * What is in a folder, by name; empty for one that does not exist.
   *
   * @example
   * ```ts
   * for (const entry of await client.files.list('/data')) console.log(entry.path);
   * ```
   */
  async list(folder = '/data', options: CallOptions = {}): Promise<FileEntry[]> {
    const entries = (await this.#http.json(this.#url('list', folder), options)) as RawEntry[];
    return entries
      .map((entry) => ({
        path: entry.path,
        name: basename(entry.path),
        isFile: entry.is_file,
        sizeBytes: entry.size,
        updatedAt: toDate(entry.updated_time),
      }))
      .sort((left, right) => (left.path < right.path ? -1 : 1));
  }

  /**
   * A file's bytes as they arrive. Throws ServerError `not_found`.
   *
   * @example
   * ```ts
   * console.log(await new Response(await client.files.read('/data/notes.txt')).text());
   * ```
   */
  async read(path: string, options: CallOptions = {}): Promise<ReadableStream<Uint8Array>> {
    const response = await this.#http.send(this.#url('file', path), options);
    if (!response.ok) throw answerError(response, await response.text());
    return response.body ?? new Blob([]).stream();
  }

  /**
   * Brings a file, or a folder with everything in it, to `localPath`. Files appear there whole.
   *
   * @example
   * ```ts
   * await client.files.download('/data/weights', 'weights');
   * ```
   */
  async download(path: string, localPath: string, options: FilesTransferOptions = {}): Promise<void> {
    let loadedBytes = 0;
    const onBytes = (bytes: number): void => {
      loadedBytes += bytes;
      options.onProgress?.({ uploadedBytes: loadedBytes, totalBytes: null });
    };
    await this.#download(toRemotePath(path), localPath, options, onBytes);
  }

  /**
   * Sends a file, or a folder with everything in it; folders above `path` are made. Links of this machine are followed.
   *
   * @example
   * ```ts
   * await client.files.upload('weights', '/data/weights');
   * ```
   */
  async upload(localPath: string, path: string, options: FilesTransferOptions = {}): Promise<void> {
    const files = await findLocalFiles(localPath, toRemotePath(path));
    const totalBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
    let uploadedBytes = 0;
    for (const file of files) {
      await this.#uploadFile(file, options, (bytes) => {
        uploadedBytes += bytes;
        options.onProgress?.({ uploadedBytes, totalBytes });
      });
    }
  }

  /**
   * Has the platform itself fetch a URL into a file.
   *
   * @example
   * ```ts
   * await client.files.uploadFromUrl('https://example.com/weights.bin', '/data/weights.bin');
   * ```
   */
  async uploadFromUrl(url: string, path: string, options: CallOptions = {}): Promise<void> {
    await this.#post(this.#url('file/url', path), { url }, options);
  }

  /**
   * Moves or renames a file or folder; a file in the way is replaced.
   *
   * @example
   * ```ts
   * await client.files.move('/data/new.bin', '/data/weights.bin');
   * ```
   */
  async move(path: string, destination: string, options: CallOptions = {}): Promise<void> {
    await this.#post(this.#url('rename', path), { destination: toRemotePath(destination) }, options);
  }

  /**
   * Deletes a file, or a folder with everything in it. Throws ServerError `not_found`.
   *
   * @example
   * ```ts
   * await client.files.delete('/data/old');
   * ```
   */
  async delete(path: string, options: CallOptions = {}): Promise<void> {
    await this.#http.json(this.#url('file', path), { ...options, method: 'DELETE' });
  }

  async #download(
    path: string,
    localPath: string,
    options: CallOptions,
    onBytes: (bytes: number) => void,
  ): Promise<void> {
    const isFolder = path === '/data' || (await this.#find(path, options))?.isFile === false;
    if (isFolder) {
      await mkdir(localPath, { recursive: true });
      for (const entry of await this.list(path, options)) {
        await this.#download(entry.path, join(localPath, safeName(entry.name)), options, onBytes);
      }
      return;
    }
    const body = await this.read(path, options);
    await mkdir(dirname(localPath), { recursive: true });
    const temporary = `${localPath}.part`;
    try {
      const counted = async function* (source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
        for await (const chunk of source) {
          onBytes(chunk.length);
          yield chunk;
        }
      };
      await pipeline(
        Readable.fromWeb(body as NodeReadableStream),
        counted,
        createWriteStream(temporary),
        options.signal ? { signal: options.signal } : {},
      );
      await rename(temporary, localPath);
    } catch (error) {
      await rm(temporary, { force: true });
      if (isClientError(error)) throw error;
      if (options.signal?.aborted)
        throw new ConnectionError('cancelled', 'The download was cancelled.', { cause: error });
      throw error;
    }
  }

  async #find(path: string, options: CallOptions): Promise<FileEntry | undefined> {
    return (await this.list(dirname(path), options)).find((entry) => entry.path === path);
  }

  async #uploadFile(file: LocalFile, options: CallOptions, onBytes: (bytes: number) => void): Promise<void> {
    const handle = await open(file.localPath);
    try {
      const part = (position: number, length: number): FilePart => ({
        handle,
        position,
        length,
        onEnd: (atBytes) => changedFile(file.localPath, `it ended after ${atBytes} bytes`),
      });
      if (file.sizeBytes > partBytes) await this.#uploadParts(file, part, handle, options, onBytes);
      else {
        await this.#sendPart('POST', this.#url('file/local', file.path), part(0, file.sizeBytes), options);
        onBytes(file.sizeBytes);
      }
    } finally {
      await handle.close();
    }
  }

  async #uploadParts(
    file: LocalFile,
    part: (position: number, length: number) => FilePart,
    handle: FileHandle,
    options: CallOptions,
    onBytes: (bytes: number) => void,
  ): Promise<void> {
    const base = this.#url('file/multipart', file.path);
    const { upload_id: id } = (await this.#post(`${base}/initiate`, undefined, options)) as { upload_id: string };
    const count = Math.ceil(file.sizeBytes / partBytes);
    const numbers = Array.from({ length: count }, (_, index) => index + 1);
    const parts: { part_number: number; etag: string }[] = [];
    const worker = async (): Promise<void> => {
      for (let number = numbers.shift(); number !== undefined; number = numbers.shift()) {
        const position = (number - 1) * partBytes;
        const length = Math.min(partBytes, file.sizeBytes - position);
        parts.push((await this.#sendPart('PUT', `${base}/${id}/${number}`, part(position, length), options)) as never);
        onBytes(length);
      }
    };
    try {
      await Promise.all(Array.from({ length: Math.min(parallelParts, count) }, worker));
      const ordered = parts.toSorted((left, right) => left.part_number - right.part_number);
      const done = (await this.#post(`${base}/${id}/complete`, { parts: ordered }, options)) as { etag?: string };
      if (done.etag && done.etag !== (await md5Of(handle))) {
        throw changedFile(file.localPath, 'what arrived is something else than what lies here');
      }
    } catch (error) {
      numbers.length = 0;
      await this.#http.send(`${base}/${id}/cancel`, { method: 'POST', timeoutMs: 5000 }).catch(() => undefined);
      throw error;
    }
  }

  #sendPart(method: string, url: string, part: FilePart, options: CallOptions): Promise<unknown> {
    const { contentType, body } = partForm(part, this.#buffers);
    return withRetries(partPolicy, options.signal, async () => {
      const request: HttpRequest = { method, headers: { 'content-type': contentType }, body, signal: options.signal };
      return readJson(await this.#http.send(url, { ...request, timeoutMs: options.timeoutMs }), url);
    });
  }

  #post(url: string, body: unknown, options: CallOptions): Promise<unknown> {
    return this.#http.json(url, {
      method: 'POST',
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      signal: options.signal,
      timeoutMs: options.timeoutMs,
    });
  }

  #url(route: string, path: string): string {
    return `${this.#settings.hosts().restUrl}/files/${route}/${encodeRemotePath(path)}`;
  }
}

/** A name out of a listing, which must not lead out of the folder it is put into. */
function safeName(name: string): string {
  if (name !== '' && name !== '.' && name !== '..' && !/[/\\\0]/.test(name)) return name;
  throw new ServerError('unexpected_answer', `The server lists a file with the name ${JSON.stringify(name)}.`);
}

/** Seconds since the epoch, or ISO 8601. */
const toDate = (time: number | string): Date => new Date(typeof time === 'number' ? time * 1000 : time);
