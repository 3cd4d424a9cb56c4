import { defineCommand, type OptionSpec } from '../command/command-spec.ts';

const dataDirOption: OptionSpec = {
  flags: '--data-dir <folder>',
  summary: 'folder of all state (LANNER_HOME, default ~/.lanner)',
};

export const serveCommand = defineCommand<Parameters<typeof import('./serve.ts').serve>[0]>({
  name: 'serve',
  summary: '',
  ownSignals: true,
  options: [
    dataDirOption,
    { flags: '--port <number>', summary: 'TLS port; 0 picks a free one (LANNER_PORT, default 8443)' },
    {
      flags: '--http-port <number>',
      summary: 'clear-text port and proxy of `lanner exec` (LANNER_HTTP_PORT, default 8080)',
    },
    { flags: '--host <address>', summary: 'address to listen on (LANNER_LISTEN_HOST, default 127.0.0.1)' },
    { flags: '--domain <name>', summary: 'serve this domain and its subdomains too (LANNER_DOMAIN)' },
    {
      flags: '--public-url <url>',
      summary: 'origin for webhooks and behind a load balancer (LANNER_PUBLIC_URL)',
    },
    { flags: '--tls-cert <file>', summary: 'certificate for the domain, PEM (LANNER_TLS_CERT)' },
    { flags: '--tls-key <file>', summary: 'its private key, PEM (LANNER_TLS_KEY)' },
    {
      flags: '--account <nickname>',
      summary: 'nickname of the first account (LANNER_ACCOUNT, default your login name)',
    },
    {
      flags: '--remote-proxy',
      summary: 'let other machines use the proxy, with its token (LANNER_REMOTE_PROXY)',
    },
    {
      flags: '--webhook-private-targets <yes|no>',
      summary:
        'let webhooks reach addresses inside the network (LANNER_WEBHOOK_PRIVATE_TARGETS, default only while listening on loopback)',
    },
    {
      flags: '--webhook-horizon <duration>',
      summary: 'how long webhooks are repeated (LANNER_WEBHOOK_HORIZON, default 24h)',
    },
    {
      flags: '--result-retention <duration>',
      summary: 'how long ended requests are known (LANNER_RESULT_RETENTION, default 30d)',
    },
    {
      flags: '--payload-retention <duration>',
      summary: 'how long their input and output are kept (LANNER_PAYLOAD_RETENTION, default 30d)',
    },
    {
      flags: '--socket-idle <duration>',
      summary: 'close WebSockets without a message for this long (LANNER_SOCKET_IDLE, default 1h)',
    },
    {
      flags: '--detach',
      summary: 'go on in the background; SIGTERM then leaves runners alive (LANNER_DETACH)',
    },
  ],
  run: async (input) => (await import('./serve.ts')).serve(input),
});

export const stopCommand = defineCommand<{ dataDir?: string; timeout: string }>({
  name: 'stop',
  summary: '',
  ownSignals: true,
  options: [
    dataDirOption,
    { flags: '--timeout <seconds>', summary: 'how long to wait for running requests', default: '60' },
  ],
  run: async (input) => (await import('./stop.ts')).stop(input),
});

export const envCommand = defineCommand<Parameters<typeof import('./env.ts').env>[0]>({
  name: 'env',
  summary: '',
  options: [
    dataDirOption,
    {
      flags: '--mode <mode>',
      summary: 'addresses (default domain where there is one)',
      choices: ['path', 'domain'],
    },
    {
      flags: '--format <format>',
      summary: 'form of the output',
      choices: ['shell', 'dotenv', 'json'],
      default: 'shell',
    },
  ],
  run: async (input) => (await import('./env.ts')).env(input),
});

export const execCommand = defineCommand<{ dataDir?: string; command: string[] }>({
  name: 'exec',
  summary: '',
  ownSignals: true,
  options: [dataDirOption],
  trailingCommand: { summary: 'Everything from the first word or -- on is the command.', required: true },
  run: async ({ command, ...options }) => (await import('./exec.ts')).exec(options, command),
});
