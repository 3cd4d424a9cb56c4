import { defaultAppPort } from './runner-request.ts';
import type { Runner } from './runner.ts';

/** 500, 502 and 504 are the app's answer, unless nobody is there any more (platform-semantics 5.4). One check per runner at a time. */
export class PortChecks {
  readonly #checkPort: (host: string, port: number) => Promise<boolean>;
  readonly #onClosed: (runner: Runner) => void;
  readonly #checking = new Set<Runner>();

  constructor(checkPort: (host: string, port: number) => Promise<boolean>, onClosed: (runner: Runner) => void) {
    this.#checkPort = checkPort;
    this.#onClosed = onClosed;
  }

  async check(runner: Runner): Promise<void> {
    if (this.#checking.has(runner) || runner.phase !== 'ready' || runner.host === null) return;
    this.#checking.add(runner);
    try {
      const isAlive = await this.#checkPort(runner.host, runner.identity.port ?? defaultAppPort);
      if (!isAlive) this.#onClosed(runner);
    } finally {
      this.#checking.delete(runner);
    }
  }
}
