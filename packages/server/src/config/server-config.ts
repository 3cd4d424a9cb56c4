import { isIP } from 'node:net';
import { userInfo } from 'node:os';
import { LannerError } from '@lanner/protocol';
import { z } from 'zod';
import { findNicknameProblem, toNickname } from '../lib/nickname.ts';
import { defaultDataRoot } from './data-dir.ts';
import { parseDuration } from './duration.ts';
import { isFalHost } from './fal-hosts.ts';
import { readUpstreamProxy, type Environment, type UpstreamProxy } from './upstream-proxy.ts';

/** Everything `lanner serve` can be told, read once and checked. */
export interface ServerConfig {
  /** Folder of all state; default `~/.lanner`. */
  dataDir: string;
  /** TLS port; 0 picks a free one. Default 8443. */
  port: number;
  /** Clear-text port and CONNECT proxy; 0 picks a free one. Default 8080. */
  httpPort: number;
  /** Address both ports listen on. Default 127.0.0.1. */
  host: string;
  /** Domain of domain mode, or null. */
  domain: string | null;
  /** Origin (`https://host[:port]`) by which webhooks and load balancers reach this server, or null. */
  publicUrl: string | null;
  /** PEM files of a certificate for `domain` and `*.domain`; without them Lanner's own CA makes one. */
  tlsCert: string | null;
  tlsKey: string | null;
  /** Nickname of the first account; default the login name of this user. */
  accountNickname: string;
  /** Whether SIGTERM leaves the supervisor and its runners alive (`lanner stop` ends them all the same). */
  detach: boolean;
  /** Whether the CONNECT proxy serves callers on other machines. Default false. */
  remoteProxy: boolean;
  /** Whether webhooks may go to addresses inside the network. Null, the default: while the server listens on loopback only. */
  webhookPrivateTargets: boolean | null;
  /** How long a webhook that is not accepted is repeated. Default one day. */
  webhookHorizonMs: number;
  /** How long an ended request is known. Default 30 days. */
  resultRetentionMs: number;
  /** How long its input and output are kept. Default 30 days. */
  payloadRetentionMs: number;
  /** WebSockets without a message either way for this long are closed. Default one hour. */
  socketIdleMs: number;
  /** How this server itself reaches the rest of the network. */
  upstreamProxy: UpstreamProxy | null;
}

/** Values of command-line flags by setting name; undefined where a flag was not given. */
export type ServerFlags = Partial<Record<SettingName, string | number | boolean | undefined>>;

type SettingName = keyof typeof settings;

const portRule = 'must be a whole number from 0 to 65535 (0 picks a free port)';
const port = z
  .union(
    [
      z.number(),
      z
        .string()
        .regex(/^\d{1,5}$/)
        .transform(Number),
    ],
    portRule,
  )
  .pipe(z.number(portRule).int(portRule).min(0, portRule).max(65535, portRule));
const hostNamePattern = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const hostRule = 'must be an IP address or a host name';
const nickname = z.string().superRefine((value, context) => {
  const problem = findNicknameProblem(value);
  if (problem !== null) context.addIssue(problem);
});
const boolRule = 'must be true or false';
const bool = z.union(
  [z.boolean(), z.stringbool({ truthy: ['1', 'true', 'yes'], falsy: ['0', 'false', 'no', ''] })],
  boolRule,
);
const path = z.string().min(1, 'must be a path');
const durationRule = 'must be a number and its unit, such as 90s, 15m, 24h or 30d, and at least a second';
const duration = z.string(durationRule).transform((value, context) => {
  const durationMs = parseDuration(value);
  if (durationMs !== null && durationMs > 0) return durationMs;
  context.addIssue(durationRule);
  return z.NEVER;
});

/** One row per setting: the environment variable, the default, the rule for one value. Rules across settings follow below. */
const settings = {
  dataDir: { env: 'LANNER_HOME', schema: path, fallback: () => defaultDataRoot() },
  port: { env: 'LANNER_PORT', schema: port, fallback: () => 8443 },
  httpPort: { env: 'LANNER_HTTP_PORT', schema: port, fallback: () => 8080 },
  host: {
    // LANNER_HOST is where clients go.
    env: 'LANNER_LISTEN_HOST',
    schema: z
      .string()
      .toLowerCase()
      .refine((value) => isIP(value) !== 0 || hostNamePattern.test(value), hostRule),
    fallback: () => '127.0.0.1',
  },
  domain: {
    env: 'LANNER_DOMAIN',
    schema: z
      .string()
      .toLowerCase()
      .refine(
        (value) => hostNamePattern.test(value) && value.includes('.') && isIP(value) === 0,
        'must be a DNS name of two labels or more, such as lanner.example.com',
      )
      .refine((value) => !isFalHost(value), "is one of fal's own names, which Lanner answers for anyway"),
    fallback: () => null,
  },
  publicUrl: {
    env: 'LANNER_PUBLIC_URL',
    schema: z.string().transform((value, context) => {
      const url = URL.canParse(value) ? new URL(value) : null;
      const isOrigin =
        url !== null && /^https?:$/.test(url.protocol) && url.username === '' && `${url.pathname}${url.search}` === '/';
      if (isOrigin) return url.origin;
      context.addIssue('must be an origin such as https://lanner.example.com, without path or password');
      return z.NEVER;
    }),
    fallback: () => null,
  },
  tlsCert: { env: 'LANNER_TLS_CERT', schema: path, fallback: () => null },
  tlsKey: { env: 'LANNER_TLS_KEY', schema: path, fallback: () => null },
  accountNickname: { env: 'LANNER_ACCOUNT', schema: nickname, fallback: () => toNickname(loginName()) },
  detach: { env: 'LANNER_DETACH', schema: bool, fallback: () => false },
  remoteProxy: { env: 'LANNER_REMOTE_PROXY', schema: bool, fallback: () => false },
  webhookPrivateTargets: { env: 'LANNER_WEBHOOK_PRIVATE_TARGETS', schema: bool, fallback: () => null },
  webhookHorizon: { env: 'LANNER_WEBHOOK_HORIZON', schema: duration, fallback: () => '24h' },
  resultRetention: { env: 'LANNER_RESULT_RETENTION', schema: duration, fallback: () => '30d' },
  payloadRetention: { env: 'LANNER_PAYLOAD_RETENTION', schema: duration, fallback: () => '30d' },
  socketIdle: { env: 'LANNER_SOCKET_IDLE', schema: duration, fallback: () => '1h' },
} as const;

const flagNames: Record<SettingName, string> = {
  dataDir: '--data-dir',
  port: '--port',
  httpPort: '--http-port',
  host: '--host',
  domain: '--domain',
  publicUrl: '--public-url',
  tlsCert: '--tls-cert',
  tlsKey: '--tls-key',
  accountNickname: '--account',
  detach: '--detach',
  remoteProxy: '--remote-proxy',
  webhookPrivateTargets: '--webhook-private-targets',
  webhookHorizon: '--webhook-horizon',
  resultRetention: '--result-retention',
  payloadRetention: '--payload-retention',
  socketIdle: '--socket-idle',
};

interface Setting {
  value: unknown;
  /** As given, for messages. */
  seen: string;
  origin: string;
}

/**
 * Puts the configuration together: flag, else environment variable, else default. Throws `config_invalid` that lists every
 * problem at once, each with the value, where it came from and the rule it breaks.
 */
export function loadServerConfig(flags: ServerFlags, environment: Environment): Readonly<ServerConfig> {
  const problems: string[] = [];
  const found = {} as Record<SettingName, Setting>;
  for (const name of Object.keys(settings) as SettingName[]) {
    const setting = (found[name] = readSetting(name, flags, environment));
    const result = settings[name].schema.safeParse(setting.value);
    if (setting.value === null) continue;
    if (result.success) setting.value = result.data;
    else problems.push(describe(name, setting, result.error.issues[0]!.message));
  }
  if (problems.length === 0) problems.push(...crossProblems(found));
  if (problems.length > 0) {
    throw new LannerError(
      'config_invalid',
      `These settings cannot be used:\n${problems.map((p) => `  ${p}`).join('\n')}`,
    );
  }
  const values = Object.fromEntries(
    Object.entries(found).map(([name, { value }]) => [
      settings[name as SettingName].schema === duration ? `${name}Ms` : name,
      value,
    ]),
  );
  return Object.freeze({ ...(values as object), upstreamProxy: readUpstreamProxy(environment).proxy } as ServerConfig);
}

function readSetting(name: SettingName, flags: ServerFlags, environment: Environment): Setting {
  const { env, fallback } = settings[name];
  const flag = flags[name];
  if (flag !== undefined) return { value: flag, seen: String(flag), origin: `flag ${flagNames[name]}` };
  const variable = environment[env];
  if (variable !== undefined && variable !== '')
    return { value: variable, seen: variable, origin: `environment ${env}` };
  const value = fallback();
  return { value, seen: String(value), origin: 'default' };
}

function crossProblems(found: Record<SettingName, Setting>): string[] {
  const problems: string[] = [];
  const { domain, host, publicUrl, tlsCert, tlsKey, port: tls, httpPort } = found;
  if ((tlsCert.value === null) !== (tlsKey.value === null)) {
    const [given, name, missing] =
      tlsCert.value === null ? [tlsKey, 'tlsKey', '--tls-cert'] : [tlsCert, 'tlsCert', '--tls-key'];
    problems.push(describe(name as SettingName, given as Setting, `needs ${missing as string} beside it`));
  } else if (tlsCert.value !== null && domain.value === null) {
    problems.push(describe('tlsCert', tlsCert, 'is used for the domain, and there is no --domain'));
  }
  if (tls.value !== 0 && tls.value === httpPort.value) {
    problems.push(describe('httpPort', httpPort, 'is the TLS port already'));
  }
  if (domain.value === null) {
    // The official client derives its REST host by replacing the first "api" of the gRPC host with "rest" (rest-api 1.1).
    const rule =
      'contains "api", which the official client rewrites to "rest": use another name, or domain mode (--domain)';
    if (String(host.value).includes('api')) problems.push(describe('host', host, rule));
    if (publicUrl.value !== null && new URL(String(publicUrl.value)).hostname.includes('api')) {
      problems.push(describe('publicUrl', publicUrl, rule));
    }
  }
  return problems;
}

function describe(name: SettingName, setting: Setting, rule: string): string {
  return `${name} = "${setting.seen}" (${setting.origin}): ${rule}`;
}

/** A uid without an entry in the user database has no login name. */
function loginName(): string {
  try {
    return userInfo().username;
  } catch {
    return '';
  }
}
