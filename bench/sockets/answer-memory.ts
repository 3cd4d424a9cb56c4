/** Answers every line on standard input, after a collection, with bytes: resident, and of the heap with what hangs on it. */
export function answerMemory(): void {
  const collect = (globalThis as { gc?: () => void }).gc!;
  process.stdin.on('data', () => {
    collect();
    setTimeout(() => {
      collect();
      const { rss, heapUsed, external } = process.memoryUsage();
      process.stdout.write(`${rss} ${heapUsed + external}\n`);
    }, 200);
  });
}
