// The account of a period as CSV (RFC 4180), a page of streams at a time, so that a large fleet is never held as a whole.
import { Readable } from 'node:stream';
import type { z } from 'zod';
import { type AccountLine, readAccount } from '../ledger/account.ts';
import type { ApiOptions, ApiServer } from './api.ts';
import * as schemas from './schemas.ts';

const pageSize = 200;
/** A spreadsheet takes no more. */
const maxLines = 1_000_000;

const columns: Readonly<Record<string, (line: AccountLine) => string | number>> = {
  device: ({ deviceId }) => deviceId,
  module: ({ moduleId }) => moduleId,
  stream: ({ batchId }) => batchId,
  unit: ({ index }) => (index === 'time' ? 's' : 'records'),
  state: ({ state }) => state,
  there: (line) => amount(line, line.lengths.covered),
  void_or_waived: (line) => amount(line, line.lengths.excused),
  missing: (line) => amount(line, line.lengths.missing),
  of_it_given_up: (line) => amount(line, line.lengths.abandoned),
  not_heard_of: (line) => amount(line, line.unheard),
  void_reasons: (line) =>
    line.voids.map(({ reason, length }) => `${reason} ${amount(line, length)}`).join('; '),
  first: (line) => position(line, line.first),
  last: (line) => position(line, line.last === null ? null : line.last - 1),
};

export function addAccountRoute(server: ApiServer, { views, turns, clock, silenceMs }: ApiOptions): void {
  server.get(
    '/account.csv',
    {
      schema: {
        summary: 'What is there of each stream in a period, and of all else why not: CSV',
        querystring: schemas.accountQuery,
        response: { 400: schemas.problem, 429: schemas.problem, 503: schemas.problem },
      },
    },
    async ({ query }, reply) => {
      const { from, to, state, search } = query as z.output<typeof schemas.accountQuery>;
      const period = { start: from, end: to };
      const read = (offset: number) =>
        turns.read(() =>
          readAccount(views, { period, state, search, offset, limit: pageSize, now: clock.now(), silenceMs }),
        );
      // What is wrong shows before the answer begins.
      const first = await read(0);
      const name = `holdfast-${dayOf(from)}-${dayOf(to)}.csv`;
      reply.header('content-type', 'text/csv; charset=utf-8');
      reply.header('content-disposition', `attachment; filename="${name}"`);
      // No answer of the document's JSON: text, as it is read.
      return reply.send(Readable.from(pages(first, read)) as never);
    },
  );
}

async function* pages(
  first: readonly AccountLine[],
  read: (offset: number) => Promise<readonly AccountLine[]>,
) {
  yield csvLine(Object.keys(columns));
  let page = first;
  for (let offset = 0; page.length > 0; page = await read(offset)) {
    yield page.map((line) => csvLine(Object.values(columns).map((cell) => cell(line)))).join('');
    offset += page.length;
    if (page.length < pageSize || offset >= maxLines) return;
  }
}

function csvLine(cells: readonly (string | number)[]): string {
  return `${cells.map((cell) => (typeof cell === 'number' ? cell : quoted(cell))).join(',')}\r\n`;
}

/** A name is whatever a device sent: what a spreadsheet would compute is text here. */
function quoted(text: string): string {
  const inert = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert;
}

const amount = ({ index }: AccountLine, length: number) => (index === 'time' ? length / 1000 : length);

function position({ index }: AccountLine, at: number | null): string | number {
  if (at === null) return '';
  return index === 'time' && Math.abs(at) <= 8.64e15 ? new Date(at).toISOString() : at;
}

const dayOf = (at: number) => new Date(at).toISOString().slice(0, 10);
