import { LannerError, type Clock } from '@lanner/protocol';
import { createCallHandler, type HttpCall } from '../gateway/call-handler.ts';
import type { AnyResponse } from '../gateway/caller.ts';
import { sendJson } from '../gateway/answer.ts';
import type { Logger } from '../observe/logger.ts';
import type { AnyRequest, Route } from '../ports/route.ts';
import { toIncoming } from './body.ts';
import { parseKeyValuePath } from './key-value-path.ts';
import type { KeyValueStore } from './key-value-store.ts';
import type { FileCallers } from './uploader.ts';

/** Platform-semantics 8.3: values up to 1.9 MB. */
const largestValueBytes = 1_900_000;
const discardBytes = 4 * 1024 ** 2;

/** The key-value host over HTTP (rest-api 2.9). Errors are `{"error": …}`. Never throws. */
export function createKeyValueHandler(deps: {
  store: KeyValueStore;
  callers: FileCallers;
  clock: Clock;
  log: Logger;
}): (request: AnyRequest, response: AnyResponse, route: Route) => void {
  const { store, callers, clock } = deps;
  const log = deps.log.child({ component: 'key-values' });

  const serve = async (call: HttpCall): Promise<void> => {
    const { request, response, route, requestId } = call;
    const operation = parseKeyValuePath(request.method ?? 'GET', route.path);
    const { authorization } = request.headers;
    const permission = operation.kind === 'get' ? 'storage:files:read' : 'storage:files:write';
    const { accountId } = await callers.require(authorization, permission);
    call.accountId = accountId;
    call.status = 200;
    const place = { accountId, databaseName: operation.databaseName, keyName: operation.keyName };
    if (operation.kind === 'get') {
      const value = await store.get(place, clock.nowMs());
      if (value === null) throw new LannerError('not_found', 'There is no value under this key, or its time is over.');
      return sendJson(response, 200, requestId, { value });
    }
    if (operation.kind === 'delete') {
      await store.remove(place);
      return sendJson(response, 200, requestId, {});
    }
    const value = await readText(request);
    await store.set(place, value, clock.nowMs() + operation.ttlSeconds * 1000);
    sendJson(response, 200, requestId, {});
  };

  return createCallHandler({
    role: 'kv',
    clock,
    log,
    serve,
    discardBytes,
    sendFailure({ response, requestId }, { message, entry }) {
      sendJson(response, entry.httpStatus, requestId, { error: message, detail: message });
    },
  });
}

async function readText(request: AnyRequest): Promise<string> {
  const { announcedBytes, bytes } = toIncoming(request);
  const tooLarge = (): LannerError =>
    new LannerError('payload_too_large', `A value may have ${largestValueBytes} bytes at most.`);
  if ((announcedBytes ?? 0) > largestValueBytes) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of bytes) {
    sizeBytes += chunk.length;
    if (sizeBytes > largestValueBytes) throw tooLarge();
    chunks.push(chunk);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new LannerError('invalid_argument', 'A value must be UTF-8 text.');
  }
}
