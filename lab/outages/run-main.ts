// `runOutages` as a process, started inside the far namespace with its options as JSON. Prints the result as one
// JSON line. Its parent holds its standard input: when that ends, the parent is gone, and so is this.
import { type RunOptions, runOutages } from './run.ts';

process.stdin.on('end', () => process.exit(1));
process.stdin.resume();

try {
  const result = await runOutages(JSON.parse(process.argv[2] ?? '{}') as RunOptions);
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
} catch (error) {
  console.error(error);
  process.exit(1);
}
