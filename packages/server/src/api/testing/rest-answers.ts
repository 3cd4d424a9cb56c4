import assert from 'node:assert/strict';

/** An answer of a REST route, which always tells its request id. */
export async function answerOf(response: Response): Promise<{ status: number; body: unknown }> {
  assert.match(response.headers.get('x-fal-request-id') ?? '', /^[0-9a-f-]{36}$/);
  return { status: response.status, body: await response.json() };
}

/** Fails unless the answer refuses with this status and detail. */
export async function refusal(response: Response, status: number, detail: RegExp): Promise<void> {
  const answer = await answerOf(response);
  assert.equal(answer.status, status);
  assert.match(String((answer.body as { detail: unknown }).detail), detail);
}
