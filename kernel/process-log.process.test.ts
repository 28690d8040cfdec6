// What a process that logs writes to standard error.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

it('a line has its time in ISO, its level as a word, and what it is about; the level may change', async () => {
  const module = fileURLToPath(new URL('process-log.ts', import.meta.url));
  const script = `
    const { createProcessLog } = await import(${JSON.stringify(module)});
    const log = createProcessLog('warn', { app: 'x' });
    const child = log.child({ part: 'spool' });
    child.info({}, 'not heard');
    child.warn({ range: { start: Date.UTC(2026, 0, 1) }, password: 1, a: { token: 'secret' } }, 'heard');
    log.setLevel('info');
    child.info({}, 'heard now');`;
  const { stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
  const lines = stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines.map(({ msg, level, app, part }) => [msg, level, app, part])).toEqual([
    ['heard', 'warn', 'x', 'spool'],
    ['heard now', 'info', 'x', 'spool'],
  ]);
  expect(lines[0]).toMatchObject({
    range: { start: '2026-01-01T00:00:00.000Z' },
    time: expect.stringMatching(/Z$/),
  });
  expect(stderr).not.toContain('secret');
});
