/**
 * JSON and times written as the official command writes them, so that what reads its output can read ours: `, ` and `: `
 * between parts, everything beyond ASCII escaped, times as `2026-11-24 12:32:38.836000+00:00`.
 */
export function pythonJson(value: unknown): string {
  return escapeNonAscii(write(value));
}

function write(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(write).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value).filter(([, field]) => field !== undefined);
    return `{${fields.map(([name, field]) => `${JSON.stringify(name)}: ${write(field)}`).join(', ')}}`;
  }
  return JSON.stringify(value ?? null);
}

function escapeNonAscii(text: string): string {
  return text.replaceAll(/[\u007F-\uFFFF]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** A point in time in UTC, with a fraction of six digits unless it is zero; `None` when there is none. */
export function pythonTime(date: Date | null): string {
  if (date === null) return 'None';
  const [day = '', rest = ''] = date.toISOString().split('T');
  const [clock = '', fraction = '000Z'] = rest.split('.');
  const milliseconds = fraction.slice(0, 3);
  return `${day} ${clock}${milliseconds === '000' ? '' : `.${milliseconds}000`}+00:00`;
}

/** Seconds as `1:02:03` or `2 days, 0:00:01`, with a fraction where there is one. */
export function pythonDuration(seconds: number): string {
  const micros = Math.round(seconds * 1_000_000);
  const whole = Math.floor(micros / 1_000_000);
  const days = Math.floor(whole / 86_400);
  const two = (n: number): string => String(n).padStart(2, '0');
  const clock = `${Math.floor((whole % 86_400) / 3600)}:${two(Math.floor((whole % 3600) / 60))}:${two(whole % 60)}`;
  const fraction = micros % 1_000_000;
  return `${days > 0 ? `${days} day${days === 1 ? '' : 's'}, ` : ''}${clock}${fraction > 0 ? `.${String(fraction).padStart(6, '0')}` : ''}`;
}
