import type { Permission } from './permissions.ts';

/** What each controller RPC needs. An RPC that is missing here is refused: see `permissionOfRpc`. */
export const rpcPermissions = {
  Run: 'serverless:apps:deploy',
  InteractiveRun: 'serverless:apps:deploy',
  Map: 'serverless:apps:deploy',
  BuildEnvironment: 'serverless:apps:deploy',
  RegisterApplication: 'serverless:apps:deploy',
  UpdateApplication: 'serverless:apps:scale',
  ListApplications: 'serverless:apps:read',
  DeleteApplication: 'serverless:apps:delete',
  RolloutApplication: 'serverless:apps:scale',
  SetAlias: 'serverless:apps:deploy',
  DeleteAlias: 'serverless:apps:delete',
  ListAliases: 'serverless:apps:read',
  ListAliasRunners: 'serverless:runners:read',
  ListRunners: 'serverless:runners:read',
  StopRunner: 'serverless:runners:write',
  KillRunner: 'serverless:runners:write',
  ShellRunner: 'serverless:runners:shell',
  CreateUserKey: 'account:keys:write',
  ListUserKeys: 'account:keys:read',
  RevokeUserKey: 'account:keys:write',
  SetSecret: 'serverless:secrets:write',
  ListSecrets: 'serverless:secrets:read',
  ListEnvironments: 'serverless:environments:read',
  CreateEnvironment: 'serverless:environments:write',
  DeleteEnvironment: 'serverless:environments:write',
} as const satisfies Record<string, Permission>;

/** A family of REST routes: what reading (GET, HEAD) and what everything else needs. */
interface RouteFamily {
  /** Path prefix; matches whole segments. The longest one wins. */
  prefix: string;
  read: Permission;
  write: Permission;
}

const routeFamilies: RouteFamily[] = [
  { prefix: '/users', read: 'account:settings:read', write: 'account:settings:write' },
  // Uploading code belongs to deploying; asking what is missing is the first half of it.
  { prefix: '/files/missing_hashes', read: 'serverless:apps:deploy', write: 'serverless:apps:deploy' },
  { prefix: '/files/app', read: 'serverless:apps:deploy', write: 'serverless:apps:deploy' },
  { prefix: '/files/upload', read: 'storage:files:read', write: 'storage:files:write' },
  { prefix: '/files', read: 'serverless:files:read', write: 'serverless:files:write' },
  { prefix: '/storage', read: 'storage:files:read', write: 'storage:files:write' },
  { prefix: '/storage/settings', read: 'storage:files:read', write: 'storage:settings:write' },
  { prefix: '/storage/files/acl', read: 'storage:files:read', write: 'storage:settings:write' },
  { prefix: '/tokens', read: 'models:tokens:create', write: 'models:tokens:create' },
  { prefix: '/logs', read: 'serverless:logs:read', write: 'serverless:logs:read' },
  { prefix: '/applications', read: 'serverless:metrics:read', write: 'serverless:queue:write' },
  { prefix: '/runners', read: 'serverless:runners:read', write: 'serverless:runners:write' },
  { prefix: '/queue', read: 'serverless:apps:read', write: 'serverless:queue:write' },
  { prefix: '/requests', read: 'models:requests:read', write: 'models:requests:write' },
  { prefix: '/webhooks', read: 'models:requests:read', write: 'models:requests:write' },
  { prefix: '/workflows', read: 'workflows:workflows:read', write: 'workflows:workflows:write' },
  { prefix: '/keys', read: 'account:keys:read', write: 'account:keys:write' },
  { prefix: '/billing', read: 'billing:usage:read', write: 'billing:usage:read' },
];

/**
 * What a REST route needs. null: no family covers the path, and it must be refused unless it is public by design.
 * @param method upper case.
 * @param path without query, e.g. `/files/app/multipart/…`.
 */
export function permissionOfRestRoute(method: string, path: string): Permission | null {
  const family = routeFamilies
    .filter(({ prefix }) => path === prefix || path.startsWith(`${prefix}/`))
    .reduce<RouteFamily | null>(
      (best, next) => (best === null || next.prefix.length > best.prefix.length ? next : best),
      null,
    );
  if (family === null) return null;
  return method === 'GET' || method === 'HEAD' ? family.read : family.write;
}
