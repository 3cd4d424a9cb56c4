import { LannerError } from '@lanner/protocol';
import type { KeyGrant } from './keys.ts';
import type { Principal } from './principal.ts';

/**
 * Every permission there is, `<area>:<object>:<verb>`, with what it allows. The hosted platform's full list is not
 * public; `serverless:apps:run`, `models:requests:submit` and `account:settings:read` are its names, the rest is ours.
 */
export const permissionCatalogue = {
  'serverless:apps:read': 'See apps, revisions and their settings.',
  'serverless:apps:run': 'Call the account’s own private apps.',
  'serverless:apps:deploy': 'Build, deploy and run code; move an alias to another revision.',
  'serverless:apps:scale': 'Change scale settings and roll out an app.',
  'serverless:apps:delete': 'Delete aliases and revisions.',
  'serverless:runners:read': 'List runners.',
  'serverless:runners:write': 'Stop and kill runners.',
  'serverless:runners:shell': 'Open a shell in a runner.',
  'serverless:queue:write': 'Flush the queue of an app.',
  'serverless:logs:read': 'Read logs of runners and requests.',
  'serverless:metrics:read': 'Read metrics, events and analytics.',
  'serverless:files:read': 'List and download files below /data.',
  'serverless:files:write': 'Upload, move and delete files below /data.',
  'serverless:secrets:read': 'List the names of secrets.',
  'serverless:secrets:write': 'Set and unset secrets.',
  'serverless:environments:read': 'List environments.',
  'serverless:environments:write': 'Create and delete environments.',
  'models:models:read': 'List public apps.',
  'models:requests:submit': 'Call public and shared apps, queued ones included.',
  'models:requests:read': 'See the state, result and history of requests.',
  'models:requests:write': 'Cancel requests, delete their stored data.',
  'models:tokens:create': 'Mint short-lived tokens for realtime calls.',
  'storage:files:read': 'See settings of uploaded files.',
  'storage:files:write': 'Upload files for requests.',
  'storage:settings:write': 'Change lifetime and access of uploaded files.',
  'workflows:workflows:read': 'Read workflows.',
  'workflows:workflows:write': 'Create, change and delete workflows.',
  'account:settings:read': 'See the account and its teams.',
  'account:settings:write': 'Change the account.',
  'account:keys:read': 'List keys.',
  'account:keys:write': 'Create and revoke keys.',
  'account:members:write': 'Invite and remove members.',
  'billing:usage:read': 'Read usage.',
  'billing:invoices:read': 'Read invoices and the balance.',
  'compute:instances:read': 'List machines.',
  'compute:instances:write': 'Start and stop machines.',
  'agents:sessions:run': 'Run agents.',
} as const satisfies Record<string, string>;

export type Permission = keyof typeof permissionCatalogue;

/** The permission set of a key that may do everything, future permissions included. */
export const everyPermission = '*';

const callApps: Permission[] = [
  'serverless:apps:run',
  'models:models:read',
  'models:requests:submit',
  'models:requests:read',
  'models:requests:write',
  'models:tokens:create',
  'storage:files:read',
  'storage:files:write',
];

const deployApps: Permission[] = [
  'serverless:apps:read',
  'serverless:apps:run',
  'serverless:apps:deploy',
  'serverless:apps:scale',
  'serverless:apps:delete',
  'serverless:runners:read',
  'serverless:logs:read',
  'serverless:files:read',
  'serverless:files:write',
  'serverless:secrets:read',
  'serverless:environments:read',
  'storage:files:read',
  'storage:files:write',
  'account:settings:read',
];

/**
 * The presets of the official client and what each means here. `FULL` equals the old scope ADMIN, `API` the old scope of
 * that name. A key made from a preset follows the preset: a permission added here later reaches keys that exist.
 */
export const presets = {
  FULL: [everyPermission],
  API: callApps,
  DEPLOY: deployApps,
  READONLY: [
    'serverless:apps:read',
    'serverless:runners:read',
    'serverless:logs:read',
    'serverless:metrics:read',
    'serverless:files:read',
    'serverless:secrets:read',
    'serverless:environments:read',
    'models:models:read',
    'models:requests:read',
    'workflows:workflows:read',
    'account:settings:read',
  ],
  BILLING: ['billing:usage:read', 'billing:invoices:read', 'account:settings:read'],
  COMPUTE: [
    'compute:instances:read',
    'compute:instances:write',
    'serverless:runners:read',
    'serverless:runners:write',
    'account:settings:read',
  ],
  SERVERLESS: [
    ...new Set<Permission>([
      ...deployApps,
      ...callApps,
      'serverless:runners:write',
      'serverless:runners:shell',
      'serverless:queue:write',
      'serverless:metrics:read',
      'serverless:secrets:write',
      'serverless:environments:write',
      'storage:settings:write',
      'workflows:workflows:read',
      'workflows:workflows:write',
    ]),
  ],
  AGENT: ['agents:sessions:run', ...callApps],
} as const satisfies Record<string, readonly (Permission | typeof everyPermission)[]>;

export type Preset = keyof typeof presets;

/** A grant checked and spelled out. */
export interface ResolvedGrant {
  preset: Preset | null;
  permissions: string[];
}

/**
 * Spells out what a grant means.
 * @throws LannerError `invalid_argument` for an unknown preset or permission, naming the known ones.
 */
export function resolveGrant(grant: KeyGrant): ResolvedGrant {
  if ('preset' in grant) {
    if (!isPreset(grant.preset)) {
      throw new LannerError(
        'invalid_argument',
        `Unknown key preset "${grant.preset.slice(0, 100)}". The presets are ${Object.keys(presets).join(', ')}.`,
      );
    }
    return { preset: grant.preset, permissions: [...presets[grant.preset]] };
  }
  if (grant.permissions.length === 0) {
    throw new LannerError(
      'invalid_argument',
      'A key without any permission is of no use. Name permissions, or a preset.',
    );
  }
  const unknown = grant.permissions.find((name) => !Object.hasOwn(permissionCatalogue, name));
  if (unknown !== undefined) {
    throw new LannerError(
      'invalid_argument',
      `Unknown permission "${unknown.slice(0, 100)}". The permissions are ${Object.keys(permissionCatalogue).join(', ')}.`,
    );
  }
  return { preset: null, permissions: [...new Set(grant.permissions)] };
}

function isPreset(name: string): name is Preset {
  return Object.hasOwn(presets, name);
}

/** What a stored key may do now: its preset's meaning of today, or its own list. */
export function effectivePermissions(key: {
  preset: string | null;
  permissions: readonly string[];
}): readonly string[] {
  return key.preset !== null && isPreset(key.preset) ? presets[key.preset] : key.permissions;
}

export function hasPermission(principal: Pick<Principal, 'permissions'>, permission: Permission): boolean {
  return principal.permissions.has(everyPermission) || principal.permissions.has(permission);
}

/**
 * @throws LannerError `insufficient_permissions`. Its text contains `Insufficient permissions`, which the official
 * client looks for when a key may not read the account (grpc-controller 1.2).
 */
export function requirePermission(principal: Pick<Principal, 'permissions'>, permission: Permission): void {
  if (hasPermission(principal, permission)) return;
  throw new LannerError(
    'insufficient_permissions',
    `Insufficient permissions: this key lacks "${permission}". Use a key that has it, or create one with ` +
      `\`fal keys create --permission ${permission}\`.`,
    { details: { permission } },
  );
}

/**
 * Refuses to let a key make a key that may do more than itself.
 * @throws LannerError `insufficient_permissions`, `invalid_argument`.
 */
export function requireGrantWithin(principal: Pick<Principal, 'permissions'>, grant: KeyGrant): void {
  for (const permission of resolveGrant(grant).permissions) {
    if (principal.permissions.has(everyPermission) || principal.permissions.has(permission)) continue;
    throw new LannerError(
      'insufficient_permissions',
      `Insufficient permissions: the new key would have "${permission}", which the key that asks lacks.`,
      { details: { permission } },
    );
  }
}
