import type { OutgoingHttpHeaders } from 'node:http';
import { addCorsHeaders } from './cors.ts';
import { hopByHopHeaders, namesInConnection } from './hop-by-hop.ts';
import type { UpstreamHeaders } from './upstream/upstream-transport.ts';

/** What of the answer decides about the runner's own fate (platform-semantics 5.4). */
export interface RunnerVerdict {
  /** `x-fal-stop-runner`: true stops it, false keeps it, null says nothing. */
  stopRunner: boolean | null;
  /** `x-fal-runner-hints`; null when the app publishes none. */
  hints: string[] | null;
}

export interface AnswerFacts {
  status: number;
  requestId: string;
  runnerId: string;
  /** The caller is a browser: it sent `Origin`. */
  isCrossOrigin: boolean;
}

/**
 * The headers a caller gets: the app's own, without hop-by-hop ones and without control headers meant for the platform, and
 * the platform's (data-plane 2.3).
 */
export function toCallerHeaders(upstream: UpstreamHeaders, facts: AnswerFacts): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = {};
  const named = namesInConnection(upstream['connection']);
  for (const name in upstream) {
    if (hopByHopHeaders.has(name) || name === 'x-fal-stop-runner' || name === '__proto__') continue;
    if (name === 'x-fal-needs-retry' && facts.status < 500 && facts.status !== 429) continue;
    if (named !== null && named.has(name)) continue;
    headers[name] = upstream[name];
  }
  // No body, so no length; Node would refuse it.
  if (facts.status === 204) delete headers['content-length'];
  headers['x-fal-request-id'] = facts.requestId;
  headers['x-fal-served-from'] = facts.runnerId;
  if (facts.isCrossOrigin) addCorsHeaders(headers);
  return headers;
}

/** Reads the control headers that {@link toCallerHeaders} takes away or passes. */
export function readVerdict(upstream: UpstreamHeaders): RunnerVerdict {
  const hints = upstream['x-fal-runner-hints'];
  return {
    stopRunner: readSwitch(upstream['x-fal-stop-runner']),
    hints: hints === undefined ? null : splitHints(String(hints)),
  };
}

/** `1` or `true`, `0` or `false`; null for anything else. */
export function readSwitch(value: string | string[] | undefined): boolean | null {
  if (value === undefined) return null;
  const text = String(value).trim().toLowerCase();
  if (text === '1' || text === 'true') return true;
  if (text === '0' || text === 'false') return false;
  return null;
}

function splitHints(value: string): string[] {
  return value
    .split(',')
    .map((hint) => hint.trim())
    .filter((hint) => hint !== '');
}
