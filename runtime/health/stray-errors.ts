// Whose exception was it? Pure: reads the stack's text.
//
// The Azure client throws out of its own event handlers, where nobody can catch it. What it left half done is its
// own connection, which the uplink throws away and makes anew; everything else of the module is untouched. An
// exception of any other origin is a defect of ours, with unknown damage: the process ends, and starts again
// from the journal.

const clientPackages = /[\\/]node_modules[\\/](azure-iot-[\w-]+|rhea|rhea-promise|machina)[\\/]/;

/** True where the innermost frame that is not Node's own lies in the client library. */
export function isOfClient(error: unknown): boolean {
  const stack = (error as { stack?: unknown } | undefined)?.stack;
  if (typeof stack !== 'string') return false;
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line));
  const inner = frames.find((frame) => !/\(node:|\bat node:|<anonymous>\)$/.test(frame));
  return inner !== undefined && clientPackages.test(inner);
}
