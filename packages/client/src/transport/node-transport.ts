import { request as requestPlain, Agent as PlainAgent, type ClientRequest, type IncomingMessage } from 'node:http';
import { request as requestTls, Agent as TlsAgent } from 'node:https';
import { Readable } from 'node:stream';
import type { ReadableStream as NodeReadableStream } from 'node:stream/web';
import type { Environment } from '../resolve/environment.ts';
import { isSource, type HttpTransport } from './http-transport.ts';
import { readTrust } from './trust.ts';

/** Name and version sent with plain HTTP calls. */
const userAgent = 'lanner-client/0.1.0 (typescript)';

/** A transport over Node's own HTTP, made at the first call: private authorities can be trusted there. */
export function createNodeTransport(environment: Environment): HttpTransport {
  let agents: NodeAgents | undefined;
  return {
    async send(url, request) {
      agents ??= new NodeAgents(environment);
      return agents.send(url, request);
    },
    close: () => agents?.destroy(),
  };
}

/** Kept-alive connections of Node, with the certificates the variables name. Idle ones do not keep a program alive. */
class NodeAgents {
  readonly #plain = new PlainAgent({ keepAlive: true });
  readonly #tls: TlsAgent;

  constructor(environment: Environment) {
    const { ca, rejectUnauthorized } = readTrust(environment, 'http');
    this.#tls = new TlsAgent({ keepAlive: true, rejectUnauthorized, ...(ca === undefined ? {} : { ca }) });
  }

  readonly send: HttpTransport['send'] = (url, init) =>
    new Promise((resolve, reject) => {
      const isPlain = url.startsWith('http:');
      const source = isSource(init.body) ? init.body : undefined;
      const body = typeof init.body === 'string' ? Buffer.from(init.body) : init.body;
      const sizeBytes = isSource(body) ? body.sizeBytes : body?.length;
      const options = {
        method: init.method,
        agent: isPlain ? this.#plain : this.#tls,
        headers: {
          'user-agent': userAgent,
          ...init.headers,
          ...(sizeBytes === undefined ? {} : { 'content-length': String(sizeBytes) }),
        },
        ...(init.signal ? { signal: init.signal } : {}),
      };
      const outgoing = isPlain ? requestPlain(url, options) : requestTls(url, options);
      outgoing.on('error', reject);
      outgoing.on('response', (incoming) => resolve(toResponse(incoming)));
      if (source) writePieces(outgoing, source.pieces()).catch((error: unknown) => outgoing.destroy(error as Error));
      else outgoing.end(body);
    });

  destroy(): void {
    this.#plain.destroy();
    this.#tls.destroy();
  }
}

/** Writes one piece while the next is being made. */
async function writePieces(outgoing: ClientRequest, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  let before: Promise<void> | undefined;
  for await (const piece of pieces) {
    const written = new Promise<void>((done, fail) => outgoing.write(piece, (error) => (error ? fail(error) : done())));
    // A connection that breaks is told by the request's own error.
    written.catch(() => undefined);
    await before;
    before = written;
  }
  await before;
  outgoing.end();
}

function toResponse(incoming: IncomingMessage): Response {
  const headers = new Headers();
  for (let i = 0; i + 1 < incoming.rawHeaders.length; i += 2)
    headers.append(incoming.rawHeaders[i]!, incoming.rawHeaders[i + 1]!);
  const status = incoming.statusCode ?? 500;
  const isEmpty = status === 204 || status === 205 || status === 304;
  if (isEmpty) incoming.resume();
  const body = isEmpty ? null : (Readable.toWeb(incoming) as NodeReadableStream<Uint8Array>);
  return new Response(body as unknown as ReadableStream<Uint8Array> | null, { status, headers });
}
