import { LannerError } from '@lanner/protocol';
import type { z } from 'zod';
import type { RestContext } from './rest-route.ts';
import { toValidationError } from './rest-errors.ts';

/**
 * The JSON body of a request, checked.
 * @throws `bad_request` for what is no JSON, a ValidationError (422) for what does not fit.
 */
export async function readJson<Schema extends z.ZodType>(
  context: RestContext,
  schema: Schema,
): Promise<z.infer<Schema>> {
  let value: unknown;
  try {
    value = JSON.parse(await context.req.text());
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new LannerError('bad_request', 'The body of the request is not valid JSON.');
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw toValidationError('body', parsed.error);
  return parsed.data;
}
