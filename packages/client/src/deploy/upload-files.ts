import { open } from 'node:fs/promises';
import { DeployError, ServerError, isClientError } from '../errors/client-error.ts';
import type { Settings } from '../resolve/settings.ts';
import { answerError, readJson, type HttpClient } from '../transport/http-client.ts';
import { withRetries, type RetryPolicy } from '../transport/retry.ts';
import { partForm, PieceBuffers, type FilePart } from './file-part.ts';

/** A file of an app, as the loader found it; numbers are texts because they are sent so. */
export interface AppFile {
  path: string;
  relativePath: string;
  size: string;
  mtime: string;
  mode: string;
  /** SHA-256 over content and mode: its name at the server. */
  hash: string;
}

/** Told after each part that arrived. */
export type UploadProgress = (uploadedBytes: number, totalBytes: number, files: number) => void;

const partBytes = 10 * 1024 * 1024;
const parallelFiles = 10;
/** Parts in flight over all files, each with two pieces in memory. */
const parallelParts = 10;
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

/** Sends the files that the server lacks, several at a time, each once whatever its names are. */
export class FileUploader {
  readonly #settings: Settings;
  readonly #http: HttpClient;
  readonly #buffers = new PieceBuffers();

  constructor(settings: Settings, http: HttpClient) {
    this.#settings = settings;
    this.#http = http;
  }

  /**
   * Returns when every file is at the server.
   * @throws DeployError `upload_failed` when a file changed or could not be read; connection and server errors as they are.
   */
  async upload(files: readonly AppFile[], signal: AbortSignal | undefined, onProgress: UploadProgress): Promise<void> {
    const base = `${this.#settings.hosts().accountUrl}/files`;
    const missing = new Set(
      (await this.#http.json(`${base}/missing_hashes`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ hashes: files.map((file) => file.hash) }),
        signal,
      })) as string[],
    );
    const wanted = files.filter((file) => missing.has(file.hash));
    const totalBytes = wanted.reduce((sum, file) => sum + Number(file.size), 0);
    let uploadedBytes = 0;
    onProgress(0, totalBytes, wanted.length);
    const stop = new AbortController();
    const either = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
    const slots = createSlots(parallelParts);
    const waiting = [...wanted];
    const worker = async (): Promise<void> => {
      for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
        await this.#uploadFile(`${base}/app/multipart/${file.hash}`, file, either, slots, (bytes) => {
          uploadedBytes += bytes;
          onProgress(uploadedBytes, totalBytes, wanted.length);
        });
      }
    };
    try {
      await Promise.all(Array.from({ length: Math.min(parallelFiles, wanted.length) }, worker));
    } catch (error) {
      // The others would only find out one by one.
      stop.abort();
      throw error;
    }
  }

  async #uploadFile(
    url: string,
    file: AppFile,
    signal: AbortSignal,
    slots: Slots,
    onBytes: (bytes: number) => void,
  ): Promise<void> {
    const metadata = { size: file.size, mtime: file.mtime, mode: file.mode, hash: file.hash };
    const begun = await this.#http.send(`${url}/initiate`, { ...asJson(metadata), method: 'POST', signal });
    // Somebody else brought it in the meantime.
    if (begun.status === 409) return;
    const { upload_id: uploadId } = (await readJson(begun, url)) as { upload_id: string };
    const size = Number(file.size);
    const handle = await open(file.path).catch((error: unknown) => {
      throw unreadable(file, error);
    });
    try {
      const count = Math.max(1, Math.ceil(size / partBytes));
      const parts = await Promise.all(
        Array.from({ length: count }, (_, index) =>
          slots(async () => {
            const position = index * partBytes;
            const length = Math.min(partBytes, size - position);
            const onEnd = (atBytes: number): Error => unreadable(file, new Error(`it ended after ${atBytes} bytes`));
            const part = await this.#uploadPart(
              `${url}/${uploadId}/${index + 1}`,
              { handle, position, length, onEnd },
              signal,
            );
            onBytes(length);
            return part;
          }),
        ),
      );
      const done = await this.#http.send(`${url}/${uploadId}/complete`, {
        ...asJson({ parts, metadata }),
        method: 'POST',
        signal,
      });
      if (done.status !== 409) await readJson(done, url);
    } catch (error) {
      await this.#http.send(`${url}/${uploadId}/cancel`, { method: 'POST', timeoutMs: 5000 }).catch(() => undefined);
      throw error;
    } finally {
      await handle.close();
    }
  }

  async #uploadPart(url: string, filePart: FilePart, signal: AbortSignal): Promise<unknown> {
    const { contentType, body } = partForm(filePart, this.#buffers);
    return withRetries(partPolicy, signal, async () => {
      const response = await this.#http.send(url, {
        method: 'PUT',
        headers: { 'content-type': contentType },
        body,
        signal,
      });
      if (!response.ok) throw answerError(response, await response.text());
      return readJson(response, url);
    });
  }
}

function unreadable(file: AppFile, cause: unknown): DeployError {
  return new DeployError('upload_failed', `The app file ${file.relativePath} changed or went away during the upload.`, {
    cause,
    advice: 'Deploy again when nothing writes to it.',
  });
}

function asJson(value: unknown): { headers: Record<string, string>; body: string } {
  return { headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) };
}

type Slots = <T>(work: () => Promise<T>) => Promise<T>;

/** Runs so many works at once; after a failure those that wait do not begin. */
function createSlots(count: number): Slots {
  let free = count;
  let failed = false;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (free > 0) free--;
    else await new Promise<void>((begin) => waiting.push(begin));
    try {
      if (failed) throw new DeployError('upload_failed', 'Another part of the upload failed.');
      return await work();
    } catch (error) {
      failed = true;
      throw error;
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free++;
    }
  };
}
