import { finished, type Readable } from 'node:stream';
import busboy from 'busboy';
import { isLannerError, LannerError } from '@lanner/protocol';
import type { AnyRequest } from '../../ports/route.ts';

/** Form field that holds the bytes. */
const fileField = 'file_upload';

const brokenForm = 'The multipart form ended too early or cannot be read.';

/**
 * Streams the one file of a multipart form to `store`, never holding it in memory.
 *
 * @returns what `store` answered, once the whole form was read.
 * @throws what `store` throws; `bad_request` for a form that cannot be read or has no file.
 */
export function readUploadedPart<Result>(
  request: AnyRequest,
  store: (bytes: Readable) => Promise<Result>,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    let stored: Promise<Result> | null = null;
    let isFailing = false;
    const refuse = (message: string, cause?: unknown): void => {
      fail(new LannerError('bad_request', message, { cause }));
    };
    const fail = (error: unknown): void => {
      if (isFailing) return;
      isFailing = true;
      request.unpipe(form);
      // Reads and forgets the rest, so that the client gets to read the answer.
      request.resume();
      form.destroy();
      const settle = (): void => reject(error as Error);
      // Whoever is told of a failure finds nothing half: the store clears away first. It hears of the end through its bytes.
      if (stored === null) settle();
      else stored.then(settle, settle);
    };

    let form: busboy.Busboy;
    try {
      form = busboy({
        headers: request.headers as NonNullable<busboy.BusboyConfig['headers']>,
        limits: { files: 2, fields: 10, parts: 12, fieldSize: 1024, headerPairs: 50 },
      });
    } catch (error) {
      request.resume();
      reject(
        new LannerError('bad_request', `The body must be multipart/form-data with the field "${fileField}".`, {
          cause: error,
        }),
      );
      return;
    }
    form.on('file', (name, bytes) => {
      if (name !== fileField || stored !== null) {
        bytes.resume();
        return;
      }
      // A client that leaves ends the stream of the file with an error, which `store` hears; nobody else has to.
      bytes.on('error', () => undefined);
      stored = store(bytes);
      stored.catch((error: unknown) => {
        // The bytes stopped because the form did: that is the client's doing, not the store's.
        const isFormBroken = form.errored !== null && !isLannerError(error);
        if (isFormBroken) refuse(brokenForm, error);
        else fail(error);
      });
    });
    form.on('close', () => {
      if (stored === null) refuse(`The form has no file in the field "${fileField}".`);
      else stored.then(resolve, () => undefined);
    });
    form.on('error', (error) => {
      if (isLannerError(error)) fail(error);
      else refuse(brokenForm, error);
    });
    finished(request as Readable, { writable: false }, (error) => {
      if (error) form.destroy(error);
    });
    request.pipe(form);
  });
}
