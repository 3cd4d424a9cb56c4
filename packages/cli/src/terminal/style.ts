import { styleText } from 'node:util';

type Format = Parameters<typeof styleText>[0];

/** Colours a text for one stream: not at all in a pipe, under `NO_COLOR`, or on a terminal that has none. */
export type Style = (format: Format, text: string) => string;

/** The colours of a stream, which follow `NO_COLOR`, `FORCE_COLOR`, `TERM` and whether it is a terminal. */
export function styleFor(stream: NodeJS.WriteStream, environment: NodeJS.ProcessEnv): Style {
  const isOn = hasColour(stream, environment);
  return isOn ? (format, text) => styleText(format, text, { validateStream: false }) : (_, text) => text;
}

function hasColour(stream: NodeJS.WriteStream, environment: NodeJS.ProcessEnv): boolean {
  if (environment['NO_COLOR']) return false;
  const forced = environment['FORCE_COLOR'];
  if (forced !== undefined && forced !== '') return forced !== '0' && forced !== 'false';
  return stream.isTTY === true && environment['TERM'] !== 'dumb';
}
