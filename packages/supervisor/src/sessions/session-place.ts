/** Where a session finds its runner, and what it is given; the order of python/session.py without the command. */
export interface SessionPlace {
  sandbox: 'namespaces' | 'process-group';
  /** Host's pid of the runner's first process; needed for `namespaces`. */
  initPid: number | undefined;
  uid?: number;
  gid?: number;
  env: Record<string, string>;
  hostname: string;
  address: string;
  /** Of the runner; only for `process-group`. */
  scratchDir: string;
  /** The virtual environment. */
  prefix: string;
  /** Its sockets are made by its helper, like the app's by the runner's init. */
  hasBroker: boolean;
  /** Real interpreter that runs the helper. */
  pythonPath: string;
}
