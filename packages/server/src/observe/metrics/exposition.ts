export type LabelValues = readonly (readonly [name: string, value: string])[];

/** One line of Prometheus' text format. */
export function formatSample(name: string, labels: LabelValues, value: number): string {
  const pairs = labels.map(([label, text]) => `${label}="${escapeValue(text)}"`).join(',');
  return `${name}${pairs === '' ? '' : `{${pairs}}`} ${formatNumber(value)}\n`;
}

export function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function escapeValue(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}

function formatNumber(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}
