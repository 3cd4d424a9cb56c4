import { LannerError, type Json } from '@lanner/protocol';
import { z } from 'zod';
import { readContents } from '../../workflows/definition.ts';
import type { Workflow, WorkflowKind, WorkflowSummary } from '../../workflows/workflow-store.ts';
import type { Workflows } from '../../workflows/workflows.ts';
import { readJson } from './read-json.ts';
import { ValidationError } from './rest-errors.ts';
import type { RestContext, RestRoute } from './rest-route.ts';
import { toTimestamp } from './timestamps.ts';

const largestBytes = 1024 ** 2;
const largestPage = 100;

/** Part of an address, and never mistaken for a route. */
const name = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/,
    'Up to 128 letters, digits, "-", "_" and ".", the first a letter or digit.',
  );
const title = z.string().max(500);
const prompt = z.looseObject({ prompt: z.record(z.string(), z.unknown()) });

/** Beside these, the contents in a field of the kind's own. */
const createBody = z.looseObject({ name, title, is_public: z.boolean().default(false) });
const patchBody = z.looseObject({ name: name.nullish(), title: title.nullish(), is_public: z.boolean().nullish() });

/** Field that holds what a workflow of a kind does. */
const contentsField = { workflow: 'contents', comfy: 'workflow' } as const;

/** Workflows: publish, list, read, change, delete (rest-api 2.12, data-plane 7.1). Create and change answer 201. */
export function createWorkflowRoutes(deps: { workflows: Workflows }): RestRoute[] {
  return [...routesOf(deps.workflows, 'workflow', '/workflows'), ...routesOf(deps.workflows, 'comfy', '/comfy')];
}

function routesOf(workflows: Workflows, kind: WorkflowKind, base: string): RestRoute[] {
  const field = contentsField[kind];

  /** A workflow that the caller may see; somebody else's private one is as if it were not there. */
  const visible = (context: RestContext): WorkflowSummary => {
    const { accountId } = context.var.principal;
    const [owner = '', called = ''] = [context.req.param('owner'), context.req.param('name')];
    const found = workflows.find(owner, kind, called);
    if (found === null || (found.accountId !== accountId && !found.isPublic)) throw notFound(owner, called);
    return found;
  };
  const own = (context: RestContext): WorkflowSummary => {
    const found = visible(context);
    if (found.accountId !== context.var.principal.accountId) {
      throw new LannerError(
        'insufficient_permissions',
        `Insufficient permissions: the workflow "${found.ownerNickname}/${found.name}" belongs to another account.`,
      );
    }
    return found;
  };
  const detail = (workflow: Workflow) => ({
    ...toItem(workflow),
    is_public: workflow.isPublic,
    [field]: workflow.contents,
  });

  const create: RestRoute['handle'] = async (context) => {
    const body = await readJson(context, createBody, largestBytes);
    const { accountId } = context.var.principal;
    const checked = check(kind, body[field]);
    const draft = { name: body.name, title: body.title, isPublic: body.is_public, contents: checked };
    return context.json(detail(await workflows.create(accountId, kind, draft)), 201);
  };
  const list: RestRoute['handle'] = (context) => {
    const all = workflows.list(context.var.principal.accountId, kind);
    const page = pageNumber(context, 'page', 1, Number.MAX_SAFE_INTEGER);
    const size = pageNumber(context, 'size', 50, largestPage);
    return context.json({
      items: all.slice((page - 1) * size, page * size).map(toItem),
      total: all.length,
      page,
      size,
      pages: Math.ceil(all.length / size),
    });
  };

  const routes: RestRoute[] = [];
  for (const path of [base, `${base}/`]) {
    routes.push({ method: 'GET', path, access: 'workflows:workflows:read', handle: list });
    routes.push({ method: 'POST', path, access: 'workflows:workflows:write', handle: create });
  }
  const path = `${base}/:owner/:name`;
  routes.push(
    {
      method: 'GET',
      path,
      access: 'workflows:workflows:read',
      async handle(context) {
        const found = visible(context);
        const read = await workflows.readContents(found.workflowId, found.version);
        return context.json(detail({ ...found, contents: read }));
      },
    },
    {
      method: 'PATCH',
      path,
      access: 'workflows:workflows:write',
      async handle(context) {
        const body = await readJson(context, patchBody, largestBytes);
        const patch = {
          name: body.name ?? undefined,
          title: body.title ?? undefined,
          isPublic: body.is_public ?? undefined,
          contents: body[field] == null ? undefined : check(kind, body[field]),
        };
        return context.json(detail(await workflows.update(own(context), patch)), 201);
      },
    },
    {
      method: 'DELETE',
      path,
      access: 'workflows:workflows:write',
      async handle(context) {
        await workflows.remove(own(context));
        return context.body(null, 204);
      },
    },
  );
  return routes;
}

/** @throws ValidationError with everything that is wrong. */
function check(kind: WorkflowKind, value: unknown): Json {
  if (value === undefined) {
    throw new ValidationError([
      { loc: ['body', contentsField[kind]], msg: 'Field required', type: 'value_error.missing' },
    ]);
  }
  const read = kind === 'workflow' ? readContents(value) : readPrompt(value);
  if ('contents' in read) return read.contents as Json;
  throw new ValidationError(
    read.findings.map(({ loc, msg }) => ({ loc: ['body', contentsField[kind], ...loc], msg, type: 'value_error' })),
  );
}

function readPrompt(value: unknown): { contents: unknown } | { findings: { loc: string[]; msg: string }[] } {
  const parsed = prompt.safeParse(value);
  if (parsed.success) return { contents: parsed.data };
  return {
    findings: parsed.error.issues.map(({ path, message }) => ({ loc: path.map(String), msg: message })),
  };
}

function toItem(workflow: WorkflowSummary) {
  return {
    name: workflow.name,
    title: workflow.title,
    user_id: workflow.accountId,
    user_nickname: workflow.ownerNickname,
    created_at: toTimestamp(workflow.createdAtMs),
  };
}

function pageNumber(context: RestContext, parameter: 'page' | 'size', fallback: number, most: number): number {
  const text = context.req.query(parameter);
  if (text === undefined) return fallback;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= most) return value;
  throw new ValidationError([
    { loc: ['query', parameter], msg: `Send a number from 1 to ${most}.`, type: 'value_error' },
  ]);
}

function notFound(owner: string, called: string): LannerError {
  return new LannerError(
    'not_found',
    `The workflow "${owner.slice(0, 100)}/${called.slice(0, 150)}" was not found. It does not exist, or it is private to another account.`,
  );
}
