// Tells whose exception it was, from the text of its stack. Pure.
//
// The Azure client throws out of its own event handlers, where nobody can catch it. What it left half done is its
// own connection, which the uplink throws away and makes anew; everything else of the module is untouched. An
// exception of any other origin is a defect of ours, with unknown damage: the process ends, and starts again
// from the journal.
//
// One exception belongs to no part: a connection that was reset, and whose socket had no listener for that at the
// moment. Node raises it from its event loop, between all code: nothing was left half done, the socket is closed, and
// whoever waits on it has a time limit of its own. A gateway whose network is poor must not restart for that.

/** As packages, and in the file that the image has of them (scripts/bundle.mjs). */
const clientCode =
  /[\\/]node_modules[\\/]((azure-iot-[\w-]+|rhea|rhea-promise|machina)[\\/]|azure-client\.cjs:)/;

const networkCodes = new Set([
  'ECONNRESET',
  'ECONNABORTED',
  'ECONNREFUSED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
]);

/** True for a failed network call of the system's that no code of ours or of a package's was part of. */
export function isOfNobody(error: unknown): boolean {
  const { code, syscall, stack } = (error ?? {}) as { code?: unknown; syscall?: unknown; stack?: unknown };
  if (typeof code !== 'string' || typeof syscall !== 'string' || typeof stack !== 'string') return false;
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line));
  return networkCodes.has(code) && frames.every((line) => /\(node:|\bat node:/.test(line));
}

/** True where the innermost frame that is not Node's own lies in the client library. */
export function isOfClient(error: unknown): boolean {
  const stack = (error as { stack?: unknown } | undefined)?.stack;
  if (typeof stack !== 'string') return false;
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line));
  const inner = frames.find((frame) => !/\(node:|\bat node:|<anonymous>\)$/.test(frame));
  return inner !== undefined && clientCode.test(inner);
}
