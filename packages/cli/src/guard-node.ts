import { fileURLToPath } from 'node:url';
import { falDomains } from '@lanner/server/config';

const guard = fileURLToPath(new URL('../bin/guard-fal-hosts.cjs', import.meta.url));

/**
 * Variables by which every Node below `lanner exec` refuses to look fal's host names up: where one does not follow the
 * proxy variables (called by its path, older than 24), the call fails instead of reaching the hosted platform.
 */
export function guardedNodeVariables(nodeOptions: string | undefined): Record<string, string> {
  const quoted = `"${guard.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
  return {
    NODE_OPTIONS: [nodeOptions ?? '', `--require=${quoted}`].join(' ').trim(),
    LANNER_INTERCEPTED_DOMAINS: falDomains.join(','),
  };
}
