// The plant's control port, HTTP with JSON, on loopback. Answers with 400 and a message that names what is
// wrong, 404 for what does not exist.
//
//   GET  /state                              what each unit holds and has counted, connections, faults
//   GET  /truth?unit=1[&from=&to=]           every sample ever made, JSON lines {unit, number, timestamp, values};
//              [&fromNumber=&toNumber=]      from and to in epoch ms of the time stamp, all half-open
//   GET  /shown?unit=3[&from=&to=]           what was shown and when, JSON lines {at, number, function, address,
//                                            count, values}; only units without a log of their own
//   GET  /faults                             the faults that are set
//   POST /faults {unreachable?, units?}      merges (faults.ts has the fields); null clears
//   POST /drop                               cuts every Modbus connection once
//   POST /erase {unit}                       empties the event log ("battery dead")
//   POST /clock {unit?, stepMs}              steps the clock of one unit, or of all
//   POST /stop-sampling                      no further sample; everything else goes on
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import type { ShownEntry } from './shown-log.ts';
import type { TruthQuery, TruthSample } from './truth.ts';

/** What the control port needs from the plant. Methods throw RangeError for a unit that does not exist. */
export interface ControlledPlant {
  state(): object;
  faults(): object;
  setFaults(patch: unknown): Promise<object>;
  truth(unit: number, query?: TruthQuery): Iterable<TruthSample>;
  shown(unit: number, from?: number, to?: number): Iterable<ShownEntry>;
  dropConnections(): void;
  eraseLog(unit: number): void;
  stepClock(stepMs: number, unit?: number): void;
  stopSampling(): void;
}

const maxBodyBytes = 256 * 1024;
const number = z.coerce.number().finite().optional();
const truthQuery = z.strictObject({
  unit: z.coerce.number().int(),
  from: number,
  to: number,
  fromNumber: number,
  toNumber: number,
});
const shownQuery = z.strictObject({ unit: z.coerce.number().int(), from: number, to: number });
const eraseBody = z.strictObject({ unit: z.int() });
const clockBody = z.strictObject({ unit: z.int().optional(), stepMs: z.int() });

export async function startControl(plant: ControlledPlant, port: number): Promise<Server> {
  const server = createServer((request, response) => {
    handle(plant, request, response).catch((error: unknown) => sendError(response, error));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve());
  });
  return server;
}

export function controlPortOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

async function handle(
  plant: ControlledPlant,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://plant');
  const query = Object.fromEntries(url.searchParams);
  switch (`${request.method} ${url.pathname}`) {
    case 'GET /state':
      return sendJson(response, 200, plant.state());
    case 'GET /faults':
      return sendJson(response, 200, plant.faults());
    case 'GET /truth': {
      const { unit, ...range } = truthQuery.parse(query);
      return sendLines(response, plant.truth(unit, range as TruthQuery));
    }
    case 'GET /shown': {
      const { unit, from, to } = shownQuery.parse(query);
      return sendLines(response, plant.shown(unit, from, to));
    }
    case 'POST /faults':
      return sendJson(response, 200, await plant.setFaults(await readJson(request)));
    case 'POST /drop':
      plant.dropConnections();
      return sendJson(response, 200, plant.state());
    case 'POST /erase':
      plant.eraseLog(eraseBody.parse(await readJson(request)).unit);
      return sendJson(response, 200, plant.state());
    case 'POST /clock': {
      const { unit, stepMs } = clockBody.parse(await readJson(request));
      plant.stepClock(stepMs, unit);
      return sendJson(response, 200, plant.state());
    }
    case 'POST /stop-sampling':
      plant.stopSampling();
      return sendJson(response, 200, plant.state());
    default:
      return sendJson(response, 404, { error: `no ${request.method} ${url.pathname} here` });
  }
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBodyBytes) throw new RangeError(`a body has at most ${maxBodyBytes} bytes`);
    chunks.push(chunk);
  }
  return bytes === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString());
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(body)}\n`);
}

function sendLines(response: ServerResponse, rows: Iterable<object>): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  return pipeline(Readable.from(lines(rows)), response);
}

/** In pieces of some hundred rows: a piece a row costs more than its content. */
function* lines(rows: Iterable<object>): Generator<string> {
  let piece = '';
  for (const row of rows) {
    piece += `${JSON.stringify(row)}\n`;
    if (piece.length < 65_536) continue;
    yield piece;
    piece = '';
  }
  if (piece !== '') yield piece;
}

function sendError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  if (error instanceof z.ZodError) {
    sendJson(response, 400, { error: z.prettifyError(error) });
  } else if (error instanceof SyntaxError || error instanceof RangeError) {
    sendJson(response, 400, { error: error.message });
  } else {
    sendJson(response, 500, { error: String(error) });
  }
}
