/** Values this short occur by chance; isolate leaves them alone as well. */
const shortestMaskedChars = 9;
const replacement = '********';

/** Variables whose values are no secrets, though long: addresses, names, paths. `FAL_KEY…` is not among them. */
const openNames = new Set([
  'FAL_HOST',
  'FAL_GRPC_HOST',
  'FAL_REST_HOST',
  'FAL_RUN_HOST',
  'FAL_QUEUE_RUN_HOST',
  'FAL_WS_RUN_HOST',
  'FAL_CDN_V3_HOST',
  'LANNER_KV_URL',
  'LANNER_FILE_URLS',
  'FAL_APP_NAME',
  'FAL_APP_ROOT_PATH',
  'FAL_RUNNER_ID',
  'FAL_RUNNER_STATE',
  'ISOLATE_SERVER_VERSION',
  'PATH',
  'PYTHONPATH',
  'HOME',
  'HOSTNAME',
  'SSL_CERT_FILE',
  'REQUESTS_CA_BUNDLE',
  'CURL_CA_BUNDLE',
  'GRPC_DEFAULT_SSL_ROOTS_FILE_PATH',
  'NODE_EXTRA_CA_CERTS',
]);

/**
 * A function that replaces every secret of a runner in a text by `********`. Secrets are the values of its environment
 * variables longer than 8 characters, except those of the platform's own host and path variables. A value of several
 * lines is masked line by line, because logs come line by line.
 * @param env environment variables of the runner.
 */
export function createMask(env: Readonly<Record<string, string>>): (text: string) => string {
  const secrets = new Set<string>();
  for (const [name, value] of Object.entries(env)) {
    if (openNames.has(name)) continue;
    for (const part of [value, ...value.split(/\r?\n/)]) {
      if (part.trim().length >= shortestMaskedChars) secrets.add(part);
    }
  }
  if (secrets.size === 0) return (text) => text;
  // The longest first: a secret that begins like another must not leave its tail behind.
  const patterns = [...secrets]
    .sort((a, b) => b.length - a.length)
    .map((secret) => secret.replace(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`));
  const pattern = new RegExp(patterns.join('|'), 'g');
  return (text) => text.replace(pattern, replacement);
}
