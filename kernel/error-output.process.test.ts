import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const script = (lines: number) => `
  const { errorOutput } = await import(${JSON.stringify(join(import.meta.dirname, 'error-output.ts'))});
  for (let n = 0; n < ${lines}; n++) errorOutput.write('line ' + n + ' ' + 'x'.repeat(200) + '\\n');
  process.exit(7);`;

function start(lines: number) {
  const args = ['--input-type=module', '-e', script(lines)];
  return spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

it('every line is there, the last ones before the end too', async () => {
  const child = start(2000);
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const [code] = await once(child, 'close');
  expect(code).toBe(7);
  const lines = text.trimEnd().split('\n');
  expect(lines).toHaveLength(2000);
  expect(lines.at(-1)).toMatch(/^line 1999 x+$/);
});

it('a reader that has gone holds up nothing: the process goes on to its end', async () => {
  const child = start(5000);
  child.stderr.destroy();
  const [code] = await once(child, 'exit');
  expect(code).toBe(7);
});
