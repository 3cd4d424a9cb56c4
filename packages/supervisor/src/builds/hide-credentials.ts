/**
 * Addresses in a text without what opens them: `user:password@` of any address, and `/t/<token>/`, which is how addresses of conda
 * channels carry a token.
 */
export function hideCredentials(text: string): string {
  return text.replace(/\/\/[^/\s@]*@/g, '//***@').replace(/(:\/\/[^\s/]+\/t\/)[^/\s]+/g, '$1***');
}
