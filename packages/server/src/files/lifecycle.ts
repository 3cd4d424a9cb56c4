import { LannerError } from '@lanner/protocol';
import { z } from 'zod';
import { parseAcl, type Acl } from './acl.ts';

/** How long an upload lives once it is stored, and who may read it. What is absent was not said. */
export interface Lifecycle {
  lifetimeMs?: number;
  acl?: Acl;
}

/** Both names carry the same (data-plane 6.7); the first one wins. */
const headerNames = ['x-fal-object-lifecycle', 'x-fal-object-lifecycle-preference'] as const;

const longestHeader = 64 * 1024;
/** A hundred years: what is longer is a mistake of units. */
const longestLifetimeSeconds = 100 * 365 * 86_400;

const shape = z.object({
  expiration_duration_seconds: z.int().min(1).max(longestLifetimeSeconds).nullish(),
  initial_acl: z.unknown().optional(),
});

/**
 * The lifecycle that the headers of an upload ask for.
 * @throws LannerError `invalid_argument`: something that should vanish must not stay because of a typing error.
 */
export function parseLifecycleHeaders(header: (name: string) => string | null | undefined): Lifecycle {
  for (const name of headerNames) {
    const text = header(name);
    if (text !== null && text !== undefined && text.trim() !== '') return parseLifecycle(text, name);
  }
  return {};
}

function parseLifecycle(text: string, name: string): Lifecycle {
  let value: unknown;
  try {
    if (text.length <= longestHeader) value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const parsed = shape.safeParse(value);
  if (!parsed.success) {
    throw new LannerError(
      'invalid_argument',
      `The header ${name} must be a JSON object such as {"expiration_duration_seconds": 3600}; the duration is a whole ` +
        `number of seconds from 1 to ${longestLifetimeSeconds}, or null.`,
    );
  }
  return toLifecycle(parsed.data);
}

/**
 * The same from a body. Null says nothing, as a member that is left out: the gateway gives apps a preference in any case, and
 * what they upload with it follows the account's settings.
 */
export function toLifecycle(value: z.infer<typeof shape>): Lifecycle {
  const { expiration_duration_seconds: seconds, initial_acl: acl } = value;
  return {
    ...(seconds === undefined || seconds === null ? {} : { lifetimeMs: seconds * 1000 }),
    ...(acl === undefined || acl === null ? {} : { acl: parseAcl(acl) }),
  };
}

/** What holds for one upload: what it says, else what the account wants, else public and for ever. Pure. */
export function decideLifecycle(
  said: Lifecycle,
  settings: { lifetimeMs: number | null; acl: Acl | null } | null,
): { lifetimeMs: number | null; acl: Acl | null } {
  return {
    lifetimeMs: said.lifetimeMs ?? settings?.lifetimeMs ?? null,
    acl: said.acl ?? settings?.acl ?? null,
  };
}
