import { fileURLToPath } from 'node:url';

/** Folder of the Python half. */
export const pythonFolder = fileURLToPath(new URL('../../python/', import.meta.url)).replace(/\/$/, '');
export const launcherPath = `${pythonFolder}/launcher.py`;
export const probePath = `${pythonFolder}/sandbox.py`;
export const sessionPath = `${pythonFolder}/session.py`;
export const zygotePath = `${pythonFolder}/zygote.py`;

/** More of the host inside a sandbox. `target` defaults to `source`. */
export interface Bind {
  source: string;
  target?: string;
  readOnly: boolean;
  optional?: boolean;
  /** False for a folder that others can replace: a symbolic link in its place is an error. Default true. */
  followLinks?: boolean;
}

/** What launcher.py reads from its standard input (packages/supervisor/python/README.md). */
export interface LauncherSpec {
  argv: string[];
  env: Record<string, string>;
  cwd?: string;
  sandbox: 'namespaces' | 'process-group';
  uid?: number;
  gid?: number;
  interpreters?: string[];
  /** Links that others made and that lead to one of the interpreters. */
  interpreterLinks?: string[];
  binds?: Bind[];
  hostname?: string;
  network?: boolean;
  keepCapabilities?: boolean;
  waitForAll?: boolean;
  passControl?: boolean;
  limits?: Record<string, number>;
  /** Its sockets are led to this address; without, they bind and connect as they ask to. */
  address?: string;
  /** Proofs made with it (address-proof.ts) are believed of what the program forks. */
  addressKey?: string;
}

/** Exit statuses of the launcher that are not the program's. */
export const launcherFailures: ReadonlySet<number> = new Set([120, 121, 122]);
/** Its last line on standard error begins with this when one of them is its exit status. */
export const launcherPrefix = 'lanner-launcher: ';

/** One line, as the launcher wants it. */
export function encodeSpec(spec: LauncherSpec): string {
  return `${JSON.stringify(spec)}\n`;
}
