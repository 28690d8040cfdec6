/** The exit codes of the process. Documented in docs/ERRORS.md. */
export const exitCodes = {
  ok: 0,
  /** Something outside failed: the data folder is locked, the disk or the equipment does not answer. Trying again may help. */
  failed: 1,
  /** Bad input: configuration, arguments. Trying again does not help; the message says what to change. */
  badInput: 2,
  /** Ended by SIGINT or SIGTERM before it was done, as shells have it. */
  interrupted: 130,
  /** A bug: an exception that nothing caught. What was durable stays so; the supervisor should restart. */
  crashed: 70,
} as const;
