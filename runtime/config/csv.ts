// Comma-separated values as spreadsheets write them (RFC 4180), with the position of each cell, so that a problem can name
// line and column. Also `;` and tab between cells, as Excel writes them in half of Europe.

export interface Cell {
  readonly text: string;
  /** From 1; in characters. */
  readonly column: number;
}

export interface Row {
  /** Line of the file, from 1. A quoted cell may span several lines; this is the first. */
  readonly line: number;
  readonly cells: readonly Cell[];
}

export interface Csv {
  readonly rows: readonly Row[];
  readonly separator: string;
  readonly problems: readonly { readonly line: number; readonly column: number; readonly message: string }[];
}

/** Rows without any text and rows that begin with `#` are left out. Never throws. */
export function parseCsv(text: string): Csv {
  const source = text.replace(/^\uFEFF/, '');
  const separator = separatorOf(source);
  const rows: Row[] = [];
  const problems: { line: number; column: number; message: string }[] = [];
  let cells: Cell[] = [];
  let [line, rowLine, lineStart, at] = [1, 1, 0, 0];
  const columnOf = (position: number) => position - lineStart + 1;

  const endRow = () => {
    const isComment = cells[0]?.text.trimStart().startsWith('#');
    if (!isComment && cells.some((cell) => cell.text.trim() !== '')) rows.push({ line: rowLine, cells });
    cells = [];
  };
  const quoted = (): string => {
    const [openLine, openColumn] = [line, columnOf(at)];
    let value = '';
    for (at += 1; at < source.length; at++) {
      const char = source[at]!;
      if (char === '"' && source[at + 1] === '"') at += 1;
      else if (char === '"') {
        at += 1;
        return value;
      }
      if (char === '\n') {
        line += 1;
        lineStart = at + 1;
      }
      value += char;
    }
    problems.push({ line: openLine, column: openColumn, message: 'this quotation mark is never closed' });
    return value;
  };

  while (at <= source.length) {
    const column = columnOf(at);
    let value = source[at] === '"' ? quoted() : '';
    const start = at;
    while (at < source.length && source[at] !== separator && source[at] !== '\n') at += 1;
    value += source.slice(start, at);
    cells.push({ text: value.trim(), column });
    if (source[at] === separator) {
      at += 1;
      continue;
    }
    endRow();
    if (at >= source.length) break;
    at += 1;
    line += 1;
    rowLine = line;
    lineStart = at;
  }
  return { rows, separator, problems };
}

/** The separator of the first row that is no comment. */
function separatorOf(text: string): string {
  const header = text.split('\n').find((row) => row.trim() !== '' && !row.trimStart().startsWith('#')) ?? '';
  const count = (char: string) => header.split(char).length - 1;
  const [best] = [',', ';', '\t'].toSorted((a, b) => count(b) - count(a));
  return best!;
}
