import { LannerError } from '@lanner/protocol';
import { z } from 'zod';

/** `forbid` answers 403, `hide` 404 as if there were nothing. */
export type AclDecision = 'allow' | 'forbid' | 'hide';

/** Who may read an object. */
export interface Acl {
  default: AclDecision;
  /** `user`: account id or nickname. */
  rules: { user: string; decision: AclDecision }[];
}

const mostRules = 100;
const decision = z.enum(['allow', 'forbid', 'hide']);
const shape = z.object({
  default: decision.optional(),
  rules: z
    .array(z.object({ user: z.string().min(1).max(200), decision }))
    .max(mostRules)
    .nullish(),
});

/**
 * An access list as clients write it: `{"default"?, "rules"?: [{"user", "decision"}]}`.
 * @throws LannerError `invalid_argument`.
 */
export function parseAcl(value: unknown): Acl {
  const parsed = shape.safeParse(value);
  if (!parsed.success) {
    throw new LannerError(
      'invalid_argument',
      `An access list is {"default": "allow", "rules": [{"user": "nickname", "decision": "hide"}]} with at most ` +
        `${mostRules} rules; decisions are allow, forbid and hide.`,
    );
  }
  return { default: parsed.data.default ?? 'allow', rules: parsed.data.rules ?? [] };
}

/** A reader who proved who it is. */
export interface Reader {
  accountId: string;
  nickname: string;
}

const order: readonly AclDecision[] = ['allow', 'forbid', 'hide'];

/**
 * What an access list says to a reader. The owner may always read; of several rules that fit the most permissive wins. Pure.
 * @param reader null: nobody in particular.
 */
export function decideAccess(acl: Acl | null, ownerAccountId: string, reader: Reader | null): AclDecision {
  if (acl === null || reader?.accountId === ownerAccountId) return 'allow';
  const fitting = acl.rules
    .filter(({ user }) => user === reader?.accountId || user.toLowerCase() === reader?.nickname.toLowerCase())
    .map((rule) => rule.decision);
  return order.find((candidate) => fitting.includes(candidate)) ?? acl.default;
}
