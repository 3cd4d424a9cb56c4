/**
 * Who may import whom. The drawing is in ARCHITECTURE.md; these tables are what holds it.
 */

/** Package folder → the workspace packages it may import. */
export const packageImports: Record<string, readonly string[]> = {
  protocol: [],
  client: ['protocol'],
  app: ['protocol'],
  server: ['protocol'],
  supervisor: ['protocol'],
  dashboard: ['protocol', 'client'],
  cli: ['protocol', 'client', 'server/config'],
};

/** Files of the CLI that run the platform itself; only they load server and supervisor. */
export const platformCommands = /^packages\/cli\/(bin\/|src\/commands\/(serve|dev|rotate-secrets-key)\b)/;

/** Folders of `packages/server/src` from the bottom up: a folder imports from its own layer and from those before it. */
export const serverLayers: readonly (readonly string[])[] = [
  ['lib'],
  ['config', 'observe'],
  ['db', 'ports'],
  ['apps', 'auth', 'blobs', 'queue', 'runners', 'webhooks', 'workflows'],
  ['files', 'gateway', 'scheduler'],
  ['api'],
  ['.'], // the files of src itself: they wire everything
];
