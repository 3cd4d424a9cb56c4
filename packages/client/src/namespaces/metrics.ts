import { ServerError } from '../errors/client-error.ts';
import type { Settings } from '../resolve/settings.ts';
import type { CallOptions } from '../transport/call-options.ts';
import type { HttpClient } from '../transport/http-client.ts';

/** Counts by machine type out of `GET /applications/metrics`. */
export class MetricsReader {
  readonly #settings: Settings;
  readonly #http: HttpClient;

  /** @internal */
  constructor(settings: Settings, http: HttpClient) {
    this.#settings = settings;
    this.#http = http;
  }

  /** GPUs of all runners of the account. */
  async gpusOfAccount(options: CallOptions): Promise<Record<string, number>> {
    const { summary } = (await this.#read(options)) as { summary?: { total_gpu_by_type?: Record<string, number> } };
    return summary?.total_gpu_by_type ?? {};
  }

  /** GPUs of one app, found by the last part of its name. */
  async gpusOfApp(appName: string, options: CallOptions): Promise<Record<string, number>> {
    const { apps = {} } = (await this.#read(options)) as {
      apps?: Record<string, { gpu_count_by_type?: Record<string, number> }>;
    };
    const lastPart = (name: string): string => name.split('/').at(-1) ?? name;
    const matches = Object.keys(apps).filter((name) => lastPart(name) === lastPart(appName));
    const [match] = matches;
    if (match === undefined) {
      throw new ServerError('not_found', `No runners of an app "${appName}" were found.`, {
        advice: 'An app without runners uses no GPUs; `apps.list()` shows which apps there are.',
      });
    }
    if (matches.length > 1) {
      throw new ServerError('conflict', `"${appName}" could be ${matches.join(' or ')}.`, {
        details: { candidates: matches },
      });
    }
    return apps[match]?.gpu_count_by_type ?? {};
  }

  #read(options: CallOptions): Promise<unknown> {
    return this.#http.json(`${this.#settings.hosts().restUrl}/applications/metrics`, options);
  }
}
