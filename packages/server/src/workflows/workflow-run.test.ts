import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LannerError, type Json } from '@lanner/protocol';
import { readContents } from './definition.ts';
import { toGraph } from './graph.ts';
import { stepRequestId, type StepAnswer, type StepCall, type StepCalls } from './step-calls.ts';
import { contentsOf, runNode } from './testing/sample-contents.ts';
import { WorkflowEvents, type WorkflowEvent } from './workflow-events.ts';
import { WorkflowRun } from './workflow-run.ts';

/** Calls that end when the test says so. */
class ScriptedCalls implements StepCalls {
  readonly submitted: StepCall[] = [];
  readonly cancelled: string[] = [];
  readonly answers = new Map<string, StepAnswer | 'live'>();
  readonly #listeners = new Map<string, () => void>();
  refusal: LannerError | null = null;
  #onSubmit: (() => void) | null = null;

  async submit(call: StepCall): Promise<void> {
    if (this.refusal) throw this.refusal;
    this.submitted.push(call);
    this.answers.set(call.requestId, 'live');
    this.#onSubmit?.();
  }
  async read(requestId: string): Promise<StepAnswer | 'live' | null> {
    return this.answers.get(requestId) ?? null;
  }
  observe(requestId: string, listener: () => void): () => void {
    this.#listeners.set(requestId, listener);
    return () => void this.#listeners.delete(requestId);
  }
  async cancel(requestId: string): Promise<void> {
    this.cancelled.push(requestId);
  }
  get watched(): number {
    return this.#listeners.size;
  }
  answer(nodeId: string, body: Json, status = 200): void {
    const requestId = stepRequestId('run', nodeId);
    this.answers.set(requestId, { status, body });
    this.#listeners.get(requestId)?.();
  }
  /** Resolves once so many calls were made. */
  async waitFor(count: number): Promise<void> {
    while (this.submitted.length < count) {
      await new Promise<void>((resolve) => (this.#onSubmit = resolve));
    }
  }
}

function start(nodes: { [id: string]: { [key: string]: Json } }, output: Json, calls = new ScriptedCalls()) {
  const read = readContents(contentsOf(nodes, output));
  assert.ok('contents' in read, JSON.stringify(read));
  const input = { x: 1, text: '$a' };
  const told = new WorkflowEvents();
  const run = new WorkflowRun({ requestId: 'run', graph: toGraph(read.contents), input, calls, events: told });
  const events: WorkflowEvent[] = [];
  told.follow((event) => events.push(event));
  const abort = new AbortController();
  const answer = run.finish(abort.signal);
  answer.catch(() => {});
  return { calls, events, abort, answer };
}

describe('a run of a workflow', () => {
  const chain = { a: runNode('a', '$input.x'), b: runNode('b', '$a.y', 'alice/app/sub') };

  it('calls nodes one after the other and returns the output', async () => {
    const { calls, events, answer } = start(chain, '$b.z');
    await calls.waitFor(1);
    assert.deepEqual(calls.submitted[0], {
      ...{ requestId: stepRequestId('run', 'a'), app: 'alice/app', input: { value: 1 } },
    });
    calls.answer('a', { y: 2 });
    await calls.waitFor(2);
    assert.deepEqual(calls.submitted[1]!.input, { value: 2 });
    calls.answer('b', { z: [3] });
    assert.deepEqual(await answer, { status: 200, body: { value: [3] } });
    assert.deepEqual(
      events.map(({ type }) => type),
      ['submit', 'completion', 'submit', 'completion', 'output'],
    );
    assert.equal(calls.watched, 0);
    assert.deepEqual(calls.cancelled, []);
  });

  it('takes up the calls of a run that was cut off, and makes none twice', async () => {
    const calls = new ScriptedCalls();
    calls.answer('a', { y: 2 });
    calls.answers.set(stepRequestId('run', 'b'), 'live');
    const { answer, events } = start(chain, '$b', calls);
    await Promise.resolve();
    calls.answer('b', { z: 1 });
    assert.equal((await answer).status, 200);
    assert.deepEqual(calls.submitted, []);
    assert.equal(events.length, 5);
  });

  it('ends with the first failure that the output needs, and takes back what still runs', async () => {
    const nodes = { a: runNode('a', 1), b: runNode('b', 2) };
    const { calls, events, answer } = start(nodes, ['$a', '$b']);
    await calls.waitFor(2);
    calls.answer('a', { detail: [{ msg: 'bad' }] }, 422);
    assert.deepEqual(await answer, {
      status: 422,
      body: {
        detail: 'Node "a" (alice/app) failed with status 422: [{"msg":"bad"}]',
        node_id: 'a',
        app_id: 'alice/app',
        error: { status: 422, body: { detail: [{ msg: 'bad' }] } },
      },
    });
    assert.deepEqual(calls.cancelled, [stepRequestId('run', 'b')]);
    assert.equal(events.at(-1)!.type, 'error');
  });

  it('returns the output in spite of a failure that it does not need', async () => {
    const nodes = { a: runNode('a', 1), side: runNode('side', 2), after: runNode('after', '$side') };
    const { calls, answer } = start(nodes, '$a');
    await calls.waitFor(2);
    calls.answer('side', null, 500);
    calls.answer('a', 7);
    assert.deepEqual(await answer, { status: 200, body: { value: 7 } });
    assert.equal(calls.submitted.length, 2);
  });

  it('says which reference leads nowhere', async () => {
    const first = start({ a: runNode('a', '$input.missing') }, '$a');
    const answer = await first.answer;
    assert.equal(answer.status, 422);
    assert.match(JSON.stringify(answer.body), /Node \\"a\\".*has no key \\"missing\\"/);
    assert.deepEqual(first.calls.submitted, []);
  });

  it('treats an answer without JSON as a failure', async () => {
    const { calls, answer } = start({ a: runNode('a', 1) }, '$a');
    await calls.waitFor(1);
    const requestId = stepRequestId('run', 'a');
    calls.answers.set(requestId, { status: 200, body: undefined });
    calls.answer('a', null, 204);
    assert.equal((await answer).status, 200);
    const second = start({ a: runNode('a', 1) }, '$a');
    await second.calls.waitFor(1);
    second.calls.answers.set(requestId, { status: 200, body: undefined });
    second.calls.answer('b', null);
    second.calls.observe('x', () => {});
    second.abort.abort(new LannerError('client_cancelled', 'gone'));
    await assert.rejects(second.answer, /gone/);
  });

  it('tells a refused call as an error of its node', async () => {
    const calls = new ScriptedCalls();
    calls.refusal = new LannerError('app_not_found', 'There is no such app.');
    const { answer } = start({ a: runNode('a', 1) }, '$a', calls);
    const { status, body } = await answer;
    assert.equal(status, 404);
    assert.match(JSON.stringify(body), /There is no such app/);
  });

  it('takes its calls back when it is cancelled, and leaves them when the server stops', async () => {
    const cancelled = start({ a: runNode('a', 1) }, '$a');
    await cancelled.calls.waitFor(1);
    cancelled.abort.abort(new LannerError('client_cancelled', 'The request was cancelled.'));
    await assert.rejects(cancelled.answer, /cancelled/);
    assert.equal(cancelled.calls.cancelled.length, 1);

    const stopped = start({ a: runNode('a', 1) }, '$a');
    await stopped.calls.waitFor(1);
    stopped.abort.abort(new LannerError('shutting_down', 'The server is stopping.'));
    await assert.rejects(stopped.answer, /stopping/);
    assert.deepEqual(stopped.calls.cancelled, []);
    assert.equal(stopped.calls.watched, 0);
  });

  it('passes display nodes by', async () => {
    const show = { type: 'display', id: 'show', depends: [], fields: ['$a.url'] };
    const { calls, answer, events } = start({ a: runNode('a', 1), show }, '$a.url');
    await calls.waitFor(1);
    calls.answer('a', { url: 'https://x' });
    assert.equal((await answer).status, 200);
    assert.deepEqual(
      events.find((event) => event.type === 'completion' && event.node_id === 'show'),
      { type: 'completion', node_id: 'show', output: ['https://x'] },
    );
  });
});
