import { mkdtempSync, rmSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { systemClock } from '@lanner/protocol';
import { createCertificateAuthority, type CertificateAuthority } from '../certificate-authority.ts';
import { createPorts, type Ports, type PortsConfig } from '../create-ports.ts';
import type { PortHandlers } from '../port-handlers.ts';
import type { PortLimits } from '../port-limits.ts';
import type { Route } from '../route.ts';

export const testToken = 'token-of-the-test';

export const quietLog = { debug() {}, info() {}, warn() {}, error() {} };

export interface TestPorts {
  tlsPort: number;
  httpPort: number;
  ca: CertificateAuthority;
  ports: Ports;
  /** What arrived at the handlers, oldest first. */
  routes: Route[];
}

/** A folder that goes away with the test. */
export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'lanner-ports-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Ports on free numbers with a handler that answers with the route it was given, as JSON; ended with the test. */
export async function startPorts(
  t: TestContext,
  config: Partial<PortsConfig> = {},
  handlers: Partial<PortHandlers> = {},
  limits: Partial<PortLimits> = {},
): Promise<TestPorts> {
  const full: PortsConfig = {
    host: '127.0.0.1',
    port: 0,
    httpPort: 0,
    domain: null,
    publicUrl: null,
    remoteProxy: false,
    upstreamProxy: null,
    ...config,
  };
  const ca = createCertificateAuthority({
    folder: temporaryFolder(t),
    config: { ...full, tlsCert: null, tlsKey: null },
    clock: systemClock,
    log: quietLog,
  });
  await ca.start();
  const routes: Route[] = [];
  const ports = createPorts({
    config: full,
    ca,
    proxyToken: testToken,
    clock: systemClock,
    log: quietLog,
    limits,
    handlers: {
      request(request, response, route) {
        routes.push(route);
        if (handlers.request !== undefined) return handlers.request(request, response, route);
        const answer = response as ServerResponse;
        const body = JSON.stringify({ ...route, httpVersion: request.httpVersion });
        answer.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
        answer.end(body);
      },
      upgrade(request, socket, head, route) {
        routes.push(route);
        if (handlers.upgrade !== undefined) return handlers.upgrade(request, socket, head, route);
        socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n');
        socket.write(head);
        socket.pipe(socket);
      },
    },
  });
  t.after(async () => {
    await ports.stop({ graceMs: 0 });
    ca.stop();
  });
  return { ...(await ports.start()), ca, ports, routes };
}
