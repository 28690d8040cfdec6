// Runs many commands of holdfast in one process, since a start of Node costs more than most of them do:
//
//   many-commands.ts    reads [[ARG, ..], ..] as JSON from standard input, writes [{code, out, err}, ..]
//
// Each runs the program's own entry anew; what an end of the process would be, is the end of that command.
import { readFileSync } from 'node:fs';

class Ended extends Error {
  readonly code: number;
  constructor(code: number) {
    super(`ended with ${code}`);
    this.code = code;
  }
}

const exit = process.exit.bind(process);
const write = process.stdout.write.bind(process.stdout);
process.exit = ((code?: number) => {
  throw new Ended(Number(code ?? process.exitCode ?? 0));
}) as typeof process.exit;

const said = { out: '', err: '' };
for (const [name, stream] of [
  ['out', process.stdout],
  ['err', process.stderr],
] as const) {
  stream.write = ((chunk: string | Uint8Array, ...rest: unknown[]) => {
    said[name] += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8');
    const done = rest.find((each) => typeof each === 'function') as (() => void) | undefined;
    done?.();
    return true;
  }) as typeof stream.write;
}

// What a command ended with was caught below, and comes here once more.
process.on('uncaughtException', () => {});

const commands: readonly (readonly string[])[] = JSON.parse(readFileSync(0, 'utf8'));
const results = [];
for (const [at, args] of commands.entries()) {
  said.out = '';
  said.err = '';
  process.exitCode = 0;
  process.argv = [process.execPath, 'holdfast', ...args];
  let code: number;
  try {
    await (await import(`../../runtime/main.ts?${at}`)).ended;
    code = Number(process.exitCode);
  } catch (error) {
    if (!(error instanceof Ended)) said.err += String((error as Error).stack);
    code = error instanceof Ended ? error.code : 70;
  }
  results.push({ code, ...said });
}
write(JSON.stringify(results), () => exit(0));
