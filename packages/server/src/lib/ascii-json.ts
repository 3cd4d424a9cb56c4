/**
 * JSON in ASCII alone. A client that decodes each piece of a stream by itself (`@fal-ai/client` does) would garble a character that
 * the network cuts in two; here there is none.
 */
export function toAsciiJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
