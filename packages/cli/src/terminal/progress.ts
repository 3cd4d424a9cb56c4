import type { Terminal } from './terminal.ts';

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const asciiFrames = ['|', '/', '-', '\\'];
const frameMs = 80;
const clearLine = '\r\u001B[2K';

/**
 * One line at the bottom that changes while something goes on. Only on a terminal: in a pipe it shows nothing, so that what
 * is written there are lines. Lines printed through `above` appear over it.
 */
export class Progress {
  readonly #terminal: Terminal;
  #text = '';
  #frame = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** Shows this text, with a spinner before it. */
  show(text: string): void {
    this.#text = text;
    if (!this.#terminal.isNoteTerminal) return;
    if (this.#timer === undefined) {
      this.#timer = setInterval(() => {
        this.#frame += 1;
        this.#draw();
      }, frameMs).unref();
    }
    this.#draw();
  }

  /** Prints above the line. */
  above(print: () => void): void {
    if (this.#timer === undefined) return print();
    this.#terminal.writeError(clearLine);
    print();
    this.#draw();
  }

  /** Takes the line away. */
  stop(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#terminal.writeError(clearLine);
  }

  #draw(): void {
    const { noteStyle, noteWidth, isUnicode } = this.#terminal;
    const wheel = isUnicode ? frames : asciiFrames;
    const text = this.#text.slice(0, noteWidth - 3);
    this.#terminal.writeError(`${clearLine}${noteStyle('cyan', wheel[this.#frame % wheel.length]!)} ${text}`);
  }
}

/** `[████────] 12.4 of 200.0 MB` */
export function progressBar(done: number, total: number, isUnicode: boolean): string {
  const cells = 24;
  const filled = total === 0 ? cells : Math.min(cells, Math.floor((done / total) * cells));
  const [full, empty] = isUnicode ? ['█', '░'] : ['#', '.'];
  return `${full!.repeat(filled)}${empty!.repeat(cells - filled)} ${megabytes(done)} of ${megabytes(total)} MB`;
}

const megabytes = (bytes: number): string => (bytes / 1_000_000).toFixed(1);
