/** What came of one group of tests. */
export interface Outcome {
  passed: number;
  failed: number;
  /** Skipped tests as `where: name (reason)`. */
  skipped: string[];
  /** One readable block for each failure. */
  failures: string[];
}

export function addOutcomes(outcomes: Outcome[]): Outcome {
  return {
    passed: outcomes.reduce((sum, outcome) => sum + outcome.passed, 0),
    failed: outcomes.reduce((sum, outcome) => sum + outcome.failed, 0),
    skipped: outcomes.flatMap((outcome) => outcome.skipped),
    failures: outcomes.flatMap((outcome) => outcome.failures),
  };
}

/** The report at the end of a run; its last line is `N passed, N failed`, with `, N skipped` where there are any. */
export function renderOutcome({ passed, failed, skipped, failures }: Outcome): string {
  const lines: string[] = [];
  if (skipped.length > 0) lines.push('', 'Skipped:', ...skipped.map((name) => `  ${name}`));
  for (const failure of failures) lines.push('', failure);
  lines.push('', `${passed} passed, ${failed} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}`);
  return lines.join('\n');
}
