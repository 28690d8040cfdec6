// The logging port. It has the shape of pino's methods, so that pino itself satisfies it.

/** The fields of a line that needs a person: docs/ERRORS.md says by its code what it means and what to do. */
export interface CodedFields {
  readonly code: string;
  readonly [field: string]: unknown;
}

export interface Log {
  debug(fields: object, message: string): void;
  /** What needs nobody, trouble that passes by itself included. */
  info(fields: object, message: string): void;
  warn(fields: CodedFields, message: string): void;
  error(fields: CodedFields, message: string): void;
  /** A log that adds `bindings` to every line. */
  child(bindings: Record<string, unknown>): Log;
}

export const silentLog: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLog,
};
