import assert from 'node:assert/strict';
import { Code, ConnectError } from '@connectrpc/connect';

/** Awaits a call that must fail with this status and a text that matches. */
export async function assertStatus(
  call: Promise<unknown>,
  code: keyof typeof Code,
  text: RegExp,
): Promise<ConnectError> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error;
    assert.equal(Code[error.code], code, error.message);
    assert.match(error.rawMessage, text);
    return error;
  }
  return assert.fail(`the call succeeded, ${code} was expected`);
}

/** Everything a stream says. */
export async function collect<Message>(stream: AsyncIterable<Message>): Promise<Message[]> {
  const messages: Message[] = [];
  for await (const message of stream) messages.push(message);
  return messages;
}
