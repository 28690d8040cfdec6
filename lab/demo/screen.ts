// The terminal: the whole screen redrawn in place when standard output is one, a line per event when not.
import { drawLive, eventText } from './live-draw.ts';
import type { DemoEvent, LiveState } from './live-state.ts';

export interface Screen {
  show(state: LiveState): void;
  event(event: DemoEvent, startedAt: number): void;
  /** Gives the terminal back as it was. */
  close(): void;
}

// The alternate screen, no cursor; home; to the end of the line; below; and back.
const enter = '\x1b[?1049h\x1b[?25l';
const home = '\x1b[H';
const clearLine = '\x1b[K';
const clearBelow = '\x1b[J';
const leave = '\x1b[?25h\x1b[?1049l';

export function openTerminal(out: NodeJS.WriteStream): Screen {
  const color = out.hasColors?.() ?? false;
  let open = true;
  out.write(enter);
  // A crash must not leave the user without a cursor.
  const close = () => {
    if (!open) return;
    open = false;
    out.write(leave);
  };
  process.once('exit', close);
  return {
    show(state) {
      if (!open) return;
      const lines = drawLive(state, { columns: out.columns, rows: out.rows, color });
      out.write(`${home}${lines.map((line) => line + clearLine).join('\r\n')}${clearBelow}`);
    },
    event() {},
    close,
  };
}

export function openLines(out: NodeJS.WritableStream): Screen {
  return {
    show() {},
    event: (event, startedAt) => out.write(`${eventText(event, startedAt)}\n`),
    close() {},
  };
}
