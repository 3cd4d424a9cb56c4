/** How long a server waits for its supervisor, in milliseconds. */
export interface SupervisorPatience {
  /** For one answer to the question whether it is there. */
  greetingMs: number;
  /** For a supervisor found at start, while its process lives and does not answer. */
  adoptionMs: number;
  /** For the first sign of life of one that was just started. */
  startMs: number;
  /** For the beginning of an answer to an ordinary call. */
  answerMs: number;
  /** For the next event or heartbeat; longer silence means that the connection is dead. */
  silenceMs: number;
  /** For an answer of any kind from one that hangs; then it is ended and replaced. */
  hangMs: number;
  /** On top of the grace period, before a supervisor that should end is killed. */
  endMarginMs: number;
}

export const defaultSupervisorPatience: SupervisorPatience = {
  greetingMs: 3_000,
  adoptionMs: 20_000,
  startMs: 20_000,
  answerMs: 30_000,
  silenceMs: 45_000,
  hangMs: 5 * 60_000,
  endMarginMs: 5_000,
};
