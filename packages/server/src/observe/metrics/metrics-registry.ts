import { escapeHelp, formatSample, type LabelValues } from './exposition.ts';

/** Label values of one series, in the order of the metric's label names. */
export type Labels = readonly string[];

export interface Sample {
  labels: Labels;
  value: number;
}

/** Counts up. */
export interface Counter {
  add(labels: Labels, by?: number): void;
}

/** Sorts values into buckets. */
export interface Histogram {
  observe(labels: Labels, value: number): void;
}

interface Description {
  name: string;
  help: string;
  labelNames: readonly string[];
}

/**
 * Metrics in Prometheus' text format (exposition 0.0.4). Counting is a look into a map; everything else happens when somebody reads.
 * Who counts bounds the values of labels.
 */
export class MetricsRegistry {
  readonly #parts: (() => string | Promise<string>)[] = [];
  readonly #counted: { labelNames: readonly string[]; series: Map<string, { labels: Labels }> }[] = [];

  counter(name: string, help: string, labelNames: readonly string[] = []): Counter {
    const series = new Map<string, Sample>();
    this.#counted.push({ labelNames, series });
    this.#parts.push(() => write({ name, help, labelNames }, 'counter', [...series.values()]));
    return {
      add(labels, by = 1) {
        const sample = series.get(labels.join('\n'));
        if (sample === undefined) series.set(labels.join('\n'), { labels, value: by });
        else sample.value += by;
      },
    };
  }

  /** @param bounds upper ends of the buckets, ascending; +Inf is added. */
  histogram(name: string, help: string, labelNames: readonly string[], bounds: readonly number[]): Histogram {
    const series = new Map<string, { labels: Labels; counts: number[]; sum: number; count: number }>();
    this.#counted.push({ labelNames, series });
    const toText = (): string => {
      let text = header({ name, help, labelNames }, 'histogram');
      for (const { labels, counts, sum, count } of series.values()) {
        const own = toPairs(labelNames, labels);
        let cumulative = 0;
        for (const [at, bound] of bounds.entries()) {
          cumulative += counts[at]!;
          text += formatSample(`${name}_bucket`, [...own, ['le', String(bound)]], cumulative);
        }
        text += formatSample(`${name}_bucket`, [...own, ['le', '+Inf']], count);
        text += formatSample(`${name}_sum`, own, sum) + formatSample(`${name}_count`, own, count);
      }
      return text;
    };
    this.#parts.push(toText);
    return {
      observe(labels, value) {
        const key = labels.join('\n');
        let entry = series.get(key);
        if (entry === undefined) {
          series.set(key, (entry = { labels, counts: bounds.map(() => 0), sum: 0, count: 0 }));
        }
        const at = bounds.findIndex((bound) => value <= bound);
        if (at >= 0) entry.counts[at]! += 1;
        entry.sum += value;
        entry.count += 1;
      },
    };
  }

  /** A value, or one per set of labels, that is asked for when somebody reads. */
  gauge(
    name: string,
    help: string,
    labelNames: readonly string[],
    read: () => readonly Sample[] | Promise<readonly Sample[]>,
    type: 'gauge' | 'counter' = 'gauge',
  ): void {
    this.#parts.push(async () => write({ name, help, labelNames }, type, await read()));
  }

  /** Ends all counted series whose label has this value; should it come again, they begin at zero. */
  forget(labelName: string, value: string): void {
    for (const { labelNames, series } of this.#counted) {
      const at = labelNames.indexOf(labelName);
      if (at < 0) continue;
      for (const [key, { labels }] of series) if (labels[at] === value) series.delete(key);
    }
  }

  /** All of them, in the order in which they were made. */
  async render(): Promise<string> {
    const texts: string[] = [];
    for (const part of this.#parts) texts.push(await part());
    return texts.join('');
  }
}

function write(description: Description, type: string, samples: readonly Sample[]): string {
  let text = header(description, type);
  for (const { labels, value } of samples) {
    text += formatSample(description.name, toPairs(description.labelNames, labels), value);
  }
  return text;
}

function header({ name, help }: Description, type: string): string {
  return `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`;
}

function toPairs(names: readonly string[], values: Labels): LabelValues {
  return names.map((name, at) => [name, values[at] ?? '']);
}
