import type { IncomingHttpHeaders } from 'node:http';

/** One header as text: the first value when it came several times. `name` in lower case. */
export function headerText(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}
