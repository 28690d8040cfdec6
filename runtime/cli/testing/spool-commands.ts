// `holdfast spool ...` in the test's own process.
import { Writable } from 'node:stream';
import { systemClock } from '../../../kernel/clock.ts';
import { spoolCommand } from '../spool-command.ts';

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

class Exit extends Error {}

/** As the process `holdfast spool ARGS` would write and end. */
export async function spool(...args: readonly string[]): Promise<Ended> {
  let out = '';
  let err = '';
  let code = 0;
  const terminal = {
    out: new Writable({
      decodeStrings: false,
      write(chunk, _encoding, done) {
        out += chunk;
        done();
      },
    }),
    error(line: string) {
      err += `${line}\n`;
    },
    endWith(ended: number) {
      code = ended;
    },
    exit(ended: number): never {
      code = ended;
      throw new Exit();
    },
  };
  try {
    await spoolCommand({ clock: systemClock, terminal }).parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof Exit)) throw error;
  }
  return { code, out, err };
}

/** What a command with `--json` or `export` wrote. */
export const jsonLines = (text: string) =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
