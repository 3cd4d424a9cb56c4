/** Variables that find programs. */
const hostNames = ['PATH', 'HOME', 'PYENV_ROOT', 'LANG', 'MAMBA_EXE', 'CONDA_EXE'];

/**
 * Variables that a build may see: where packages come from and how to get there. An sdist's code can read them, so an
 * operator puts no password of value into them.
 */
const buildNames = [
  'UV_DEFAULT_INDEX',
  'UV_INDEX',
  'UV_INDEX_URL',
  'UV_EXTRA_INDEX_URL',
  'UV_FIND_LINKS',
  'UV_NATIVE_TLS',
  'UV_SYSTEM_CERTS',
  'UV_HTTP_TIMEOUT',
  'UV_OFFLINE',
  'PIP_INDEX_URL',
  'PIP_CERT',
  'PIP_FIND_LINKS',
  'CONDA_CHANNEL_ALIAS',
  'MAMBA_CHANNEL_ALIAS',
  'CONDA_OVERRIDE_CUDA',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'ALL_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'all_proxy',
  'no_proxy',
];

/** The slices of this process's environment that the supervisor uses. */
export function readHostEnvironment(env: NodeJS.ProcessEnv): {
  hostEnv: Record<string, string>;
  buildEnv: Record<string, string>;
} {
  return { hostEnv: pick(env, hostNames), buildEnv: pick(env, buildNames) };
}

function pick(env: NodeJS.ProcessEnv, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
}
