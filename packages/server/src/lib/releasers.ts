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
  /** Releases everything, last acquired first, once; throws the first error after all were tried. */
  release(request: ReleaseRequest): Promise<void>;
}

/** The stack behind an orderly stop, also after a start that failed half-way. */
export function createReleasers(): Releasers {
  const stack: ((request: ReleaseRequest) => void | Promise<void>)[] = [];
  let released: Promise<void> | null = null;

  async function releaseAll(request: ReleaseRequest): Promise<void> {
    const errors: unknown[] = [];
    for (let release = stack.pop(); release !== undefined; release = stack.pop()) {
      try {
        await release(request);
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }

  return {
    add: (release) => void stack.push(release),
    release: (request) => (released ??= releaseAll(request)),
  };
}
