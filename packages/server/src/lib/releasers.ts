/** How a stop is asked for; handed to every releaser. */
export interface ReleaseRequest {
  /** Time that work in flight may still take. */
  graceMs: number;
  /** Whether the supervisor and its runners stay alive. */
  leaveSupervisor: boolean;
}

export interface Releasers {
  /** Remembers how to let go of something just acquired. */
  add(release: (request: ReleaseRequest) => void | Promise<void>): void;
  /**
   * Releases everything, last acquired first, once; throws the first error after all were tried. Asked again while it is
   * at work, it hurries: the releaser that is waiting is called once more with the shorter grace, and so is the rest.
   */
  release(request: ReleaseRequest): Promise<void>;
}

/** The stack behind an orderly stop, also after a start that failed half-way. */
export function createReleasers(): Releasers {
  const stack: ((request: ReleaseRequest) => void | Promise<void>)[] = [];
  let released: Promise<void> | null = null;
  let current: ReleaseRequest;
  let atWork: ((request: ReleaseRequest) => void | Promise<void>) | undefined;

  async function releaseAll(): Promise<void> {
    const errors: unknown[] = [];
    for (atWork = stack.pop(); atWork !== undefined; atWork = stack.pop()) {
      try {
        await atWork(current);
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }

  return {
    add: (release) => void stack.push(release),
    release(request) {
      if (released === null) {
        current = request;
        released = releaseAll();
      } else if (request.graceMs < current.graceMs) {
        current = { ...current, graceMs: request.graceMs };
        void Promise.resolve(atWork?.(current)).catch(() => {});
      }
      return released;
    },
  };
}
