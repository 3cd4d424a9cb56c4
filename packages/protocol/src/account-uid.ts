/**
 * The first uid given to accounts where each runs as a user of its own. systemd's table of uids leaves the numbers from here up
 * to 2147352575 to nobody; no package and no container manager hands them out.
 */
const firstAccountUid = 1_879_048_192;
const accountUids = 2_147_352_576 - firstAccountUid;

/** The uid (and gid) an account's builds and runners have on this machine; what they can change in `/data` belongs to it. */
export function accountUid(accountOrdinal: number): number {
  return firstAccountUid + (accountOrdinal % accountUids);
}
