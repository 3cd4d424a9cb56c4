import type { DeployPhase, DeployProgress, ProgressLog, ServiceUrls } from '@lanner/client';
import { Progress, progressBar } from '../terminal/progress.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { logLine, rule, signs, utcClock } from '../terminal/text-blocks.ts';

const hiddenLevels: ReadonlySet<string> = new Set(['trace', 'debug']);
const waitingTexts: Readonly<Record<DeployPhase, string>> = {
  loading: 'Loading the app…',
  uploading: 'Uploading files…',
  building: 'Building environment…',
  deploying: 'Waiting for the first runner…',
  running: 'Starting a runner…',
};

/** Shows a deploy or run as it happens, on standard error: build logs, uploads, what runners say while they start. */
export class DeployProgressView {
  /** How far it came. */
  phase: DeployPhase = 'loading';
  /** Where the app is, once that is known. */
  urls: ServiceUrls | undefined;
  endpoints: string[] = ['/'];
  readonly #terminal: Terminal;
  readonly #debug: boolean;
  readonly #line: Progress;
  readonly #onUserLog: ((log: ProgressLog) => void) | undefined;
  #buildLogShown = false;
  #buildEnded = false;
  #source: ProgressLog['source'] | undefined;

  /** @param onUserLog what the app itself writes goes here instead */
  constructor(terminal: Terminal, debug: boolean, onUserLog?: (log: ProgressLog) => void) {
    this.#terminal = terminal;
    this.#debug = debug;
    this.#onUserLog = onUserLog;
    this.#line = new Progress(terminal);
  }

  /** The waiting line, before the first progress. */
  start(): void {
    this.#line.show(waitingTexts.loading);
  }

  /** Takes the waiting line away while something else is shown or asked. */
  stop(): void {
    this.#line.stop();
  }

  note(text: string): void {
    this.#line.above(() => this.#terminal.note(text));
  }

  readonly onProgress = (progress: DeployProgress): void => {
    switch (progress.type) {
      case 'phase':
        return this.#enter(progress.phase);
      case 'python':
        if (this.#debug)
          this.note(`Loading with Python ${progress.python} and fal ${progress.fal}, of ${progress.from}.`);
        return;
      case 'output':
        return this.#line.above(() => this.#terminal.writeError(progress.text));
      case 'upload': {
        const bar = progressBar(progress.uploadedBytes, progress.totalBytes, this.#terminal.isUnicode);
        return this.#line.show(`Uploading ${progress.files} files  ${bar}`);
      }
      case 'log':
        return this.#log(progress.log);
      case 'packaging':
        return this.#packaging(progress);
      case 'endpoints':
        this.endpoints = progress.endpoints;
        return;
      case 'urls':
        this.urls = progress.urls;
        return;
      case 'loaded':
    }
  };

  #enter(phase: DeployPhase): void {
    if (this.phase === 'building' && phase !== 'building') this.#endBuild();
    this.phase = phase;
    this.#line.show(waitingTexts[phase]);
  }

  #log(log: ProgressLog): void {
    if (hiddenLevels.has(log.level) && !this.#debug) return;
    if (this.phase === 'building') return this.#buildLine(log);
    // A finished build is told again by the calls after it.
    if (log.source === 'builder') return;
    this.#header(log.source);
    if (log.source === 'user') {
      this.#line.above(() => (this.#onUserLog ? this.#onUserLog(log) : this.#terminal.note(log.message)));
    } else this.note(this.#formatted(log));
  }

  #buildLine(log: ProgressLog): void {
    if (!this.#buildLogShown) {
      this.#buildLogShown = true;
      this.note(this.#terminal.noteStyle('bold', 'Building environment...'));
      this.note(this.#rule());
    }
    this.note(this.#formatted(log));
  }

  #endBuild(): void {
    if (this.#buildEnded) return;
    this.#buildEnded = true;
    if (this.#buildLogShown) this.note(this.#rule());
    this.note(this.#terminal.noteStyle(['bold', 'green'], `${signs(this.#terminal.isUnicode).check} Build complete`));
    this.note('');
  }

  #header(source: ProgressLog['source']): void {
    if (source === this.#source) return;
    this.#source = source;
    if (source === 'bridge') this.note(this.#terminal.noteStyle('bold', 'Setting up runtime...'));
    if (source === 'user') this.note(this.#terminal.noteStyle('bold', 'Running...'));
  }

  #packaging(progress: Extract<DeployProgress, { type: 'packaging' }>): void {
    const { noteStyle, isUnicode } = this.#terminal;
    switch (progress.event) {
      case 'build_started':
        this.note(noteStyle('bold', `Packaging local project ${progress.packageName ?? ''}...`));
        return this.note(this.#rule());
      case 'upload_started':
        return this.note(`Uploading ${progress.fileName ?? ''} (${((progress.bytes ?? 0) / 1024).toFixed(1)} KB)...`);
      case 'upload_finished':
        this.note(this.#rule());
        this.note(noteStyle(['bold', 'green'], `${signs(isUnicode).check} Project packaged`));
        return this.note('');
      case 'build_finished':
    }
  }

  #formatted(log: ProgressLog): string {
    return logLine(utcClock(log.timestamp), log.level, log.message, this.#terminal.noteStyle);
  }

  #rule(): string {
    const { noteWidth, isUnicode, noteStyle } = this.#terminal;
    return rule(noteWidth, isUnicode, (text) => noteStyle('dim', text));
  }
}
