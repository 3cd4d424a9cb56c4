import { inspect } from 'node:util';

/** What the runner reads about one test. */
export interface TestRecord {
  name: string;
  kind: 'passed' | 'failed' | 'skipped';
  /** Why it failed, or was skipped. */
  text: string;
}

interface TestEvent {
  type: string;
  data: {
    name: string;
    skip?: string | boolean;
    todo?: string | boolean;
    details: { type?: string; error?: Error & { failureType?: string; cause?: unknown } };
  };
}

/** A node:test reporter: one JSON line of {@link TestRecord} for each test; suites count through their tests. */
export default async function* ndjsonReporter(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const { type, data } of events) {
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const record = toRecord(type, data);
    if (record !== undefined) yield `${JSON.stringify(record)}\n`;
  }
}

function toRecord(type: string, { name, skip, todo, details }: TestEvent['data']): TestRecord | undefined {
  const { error } = details;
  if (type === 'test:fail') {
    if (error?.failureType === 'subtestsFailed') return undefined; // told one by one
    return { name, kind: 'failed', text: inspect(error?.cause ?? error) };
  }
  if (details.type === 'suite') return undefined;
  const reason = skip ?? todo;
  if (reason === undefined || reason === false) return { name, kind: 'passed', text: '' };
  return { name, kind: 'skipped', text: typeof reason === 'string' ? reason : '' };
}
