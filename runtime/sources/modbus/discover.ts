// Discovers a Modbus unit: its odd headers, whether it needs time, its identification, its SunSpec models, and the largest
// request it takes. Reads only.
import { HoldfastError } from '../../../kernel/errors.ts';
import type { RegisterTable } from '../codec/fields.ts';
import type { DiscoverParts, Discovery } from '../discover.ts';
import { passingStore } from '../learned.ts';
import type { LearnedHabits } from '../line/peer-habits.ts';
import {
  type ModbusSourceConfig,
  modbusRtuSourceSchema,
  modbusRtuTcpSourceSchema,
  modbusTcpSourceSchema,
} from './config.ts';
import {
  advice,
  concernsOneRequest,
  isClosed,
  isLate,
  isSilence,
  oddAnswer,
  oddHeaderOf,
} from './discover-errors.ts';
import { type FoundModel, profilesFor } from './discover-models.ts';
import { createModbusLinks, type Link, type ModbusLinks } from './link.ts';
import type { ModbusClient } from './modbus-client.ts';
import { ModbusException } from './modbus-errors.ts';
import { untilProven } from './until-proven.ts';

type Settings = Record<string, unknown>;

export interface ModbusDiscoverOptions {
  /** Default: what the address names. Each with nothing known of the device. */
  readonly links?: () => ModbusLinks;
}

const schemas = {
  'modbus-tcp': modbusTcpSourceSchema,
  'modbus-rtu-tcp': modbusRtuTcpSourceSchema,
  'modbus-rtu': modbusRtuSourceSchema,
} as const;

export function discoverModbus({ links }: ModbusDiscoverOptions = {}): Discovery {
  return {
    schemes: Object.keys(schemas),
    usage:
      'modbus-tcp://HOST:PORT?unit=1, modbus-rtu-tcp://HOST:PORT?unit=1, modbus-rtu:///dev/ttyUSB0?unit=1&baudRate=9600',
    asSource: (where) => ({ settings: settingsOf(where), tag: anyTag }),
    run: (settings, parts) => new UnitDiscovery(settings, parts, links).run(),
  };
}

/** Odd headers that may come together, and one round without. */
const maxRounds = 4;
/** Requests in a row that show whether a unit needs time. */
const gapRequests = 4;
const gapsMs = [50, 100, 200, 350, 500, 1000];
/** Tried where answers come later than the time limit. */
const timeoutsMs = [2000, 5000, 10_000];
/** Connections in a row that are lost over what is asked. */
const maxLost = 3;
const mostRegisters = 125;
const sunSpecMarker = 'SunS';
/** Where the marker may stand (SunSpec Device Information Model Specification, section 6.2). */
const sunSpecBases = [40_000, 50_000, 0];
const sunSpecEnd = 0xffff;
const maxModels = 64;

const anyTag = { name: 'any', address: 0, type: 'uint16' } as const;

interface Place {
  readonly table: RegisterTable;
  readonly address: number;
}

class UnitDiscovery {
  readonly #parts: DiscoverParts;
  readonly #makeLinks: () => ModbusLinks;
  readonly #settings: Settings;
  #schema: (typeof schemas)[keyof typeof schemas];
  readonly #learned = passingStore();
  #lost = 0;
  /** While it is looked at. */
  #link: Link | undefined;
  /** The unit has answered something, even if not usefully. */
  #wasHeard = false;
  /** A unit that does not answer the proof may only need time between requests: that is tried before silence. */
  #isPatient = false;

  constructor(settings: Readonly<Settings>, parts: DiscoverParts, makeLinks?: () => ModbusLinks) {
    this.#parts = parts;
    this.#makeLinks = makeLinks ?? (() => createModbusLinks({ clock: parts.clock }));
    this.#schema = schemas[settings.type as keyof typeof schemas];
    this.#settings = { ...settings };
  }

  async run(): Promise<Settings> {
    const found = await this.#getAnswer().catch((error: unknown) => this.#getOtherAnswer(error));
    if (found) return this.#lookAt(found);
    await this.#findGap();
    return this.#lookAt(await this.#open());
  }

  /** Where nothing came that makes sense, the other way to send Modbus over TCP may be what it understands. */
  async #getOtherAnswer(cause: unknown): Promise<Link | undefined> {
    const { type } = this.#settings;
    const isNothing = isSilence(cause) || isClosed(cause) || oddAnswer(cause);
    if (this.#wasHeard || !isNothing || type === 'modbus-rtu') throw cause;
    const other = type === 'modbus-tcp' ? 'modbus-rtu-tcp' : 'modbus-tcp';
    this.#use(other);
    try {
      const found = await this.#getAnswer();
      this.#parts.say(`it does not answer as ${type} does: type: ${other}`);
      return found;
    } catch {
      this.#parts.signal.throwIfAborted();
      throw cause;
    }
  }

  #use(type: keyof typeof schemas): void {
    this.#settings.type = type;
    this.#schema = schemas[type];
    for (const setting of ['transactionId', 'unitId', 'frameLength', 'connection', 'gapMs'])
      delete this.#settings[setting];
  }

  /** Reads what can be discovered, over a link on which the unit answers. */
  async #lookAt(found: Link): Promise<Settings> {
    const { say } = this.#parts;
    this.#link = found;
    try {
      if (found.units.hasEcho) say('the line gives back what is sent (echo): nothing is to be set for that');
      await this.#identify();
      const models = await this.#findModels();
      const place = models.base ?? (await this.#readable());
      if (place) await this.#findLargest(place);
      const { closesAfterAnswer } = (this.#learned.get().connection ?? {}) as LearnedHabits;
      if (closesAfterAnswer) say('it closes the connection after each answer: nothing is to be set for that');
      return { ...this.#settings, ...this.#whatToRead(models.found, place) };
    } finally {
      this.#link.release();
    }
  }

  /**
   * Until an answer is believed: with odd headers ignored, and time between requests, where that is needed. Gives the link,
   * where it answers each request on it; undefined where it does not, so that it needs more time.
   */
  async #getAnswer(): Promise<Link | undefined> {
    const { clock, say } = this.#parts;
    const gaps = [...gapsMs];
    for (let round = 1; ; round++) {
      const startedAt = clock.monotonic();
      let link = await this.#open();
      try {
        const tries = await this.#firstAnswer(link);
        this.#isPatient = true;
        if (tries > 1) link = await this.#openPatiently(link, clock.monotonic() - startedAt);
        if (this.#settings.gapMs === undefined && (await this.#answersInARow(link))) return link;
        link.release();
        return undefined;
      } catch (error) {
        link.release();
        // What proves that it is in step may come too soon for it.
        if (isSilence(error) && this.#wasHeard && !this.#isPatient) {
          const gapMs = gaps.shift();
          this.#isPatient = gapMs === undefined;
          if (gapMs === undefined) delete this.#settings.gapMs;
          else this.#settings.gapMs = gapMs;
          round -= 1;
          continue;
        }
        const timeoutMs = this.#wasHeard && isLate(error) ? this.#longerTimeout() : undefined;
        if (timeoutMs !== undefined) {
          this.#settings.timeoutMs = timeoutMs;
          say(`it answers later than is waited for: timeoutMs: ${timeoutMs}`);
          round -= 1;
          continue;
        }
        const setting = oddHeaderOf(error);
        if (setting === undefined || round === maxRounds) throw error;
        this.#settings[setting] = 'ignore';
        say(`${(error as Error).message.replace(advice, '')}: ${setting}: ignore`);
      }
    }
  }

  /** Another link, with the silence at its beginning that `link` turned out to need, unless silence does not help. */
  async #openPatiently(link: Link, deafMs: number): Promise<Link> {
    const { say } = this.#parts;
    link.release();
    const connectDelayMs = Math.ceil(deafMs / 100) * 100;
    this.#settings.connectDelayMs = connectDelayMs;
    const again = await this.#open();
    if ((await this.#firstAnswer(again).catch(() => 2)) === 1)
      say(`it hears nothing for about ${connectDelayMs} ms after the connection is made: connectDelayMs`);
    else {
      delete this.#settings.connectDelayMs;
      say('it loses the first request of each connection, whenever it comes: it is asked again');
    }
    return again;
  }

  #longerTimeout(): number | undefined {
    const { timeoutMs } = this.#config();
    return timeoutsMs.find((each) => each > timeoutMs);
  }

  /** How often it was asked. */
  async #firstAnswer(link: Link): Promise<number> {
    for (let tries = 1; ; tries++) {
      try {
        await this.#hears(link);
        return tries;
      } catch (error) {
        this.#wasHeard ||=
          link.units.worstMs(this.#unit) > 0 || oddHeaderOf(error) !== undefined || isLate(error);
        if (!(isSilence(error) && link.isDeaf)) throw error;
      }
    }
  }

  /** Any answer will do, a refusal as well. */
  async #hears(link: Link): Promise<void> {
    await this.#ask(link, (client) => client.readRegisters(this.#unit, 'holding', 0, 1));
  }

  async #findGap(): Promise<void> {
    const known = this.#settings.gapMs as number | undefined;
    for (const gapMs of gapsMs.filter((each) => each >= (known ?? 0))) {
      this.#settings.gapMs = gapMs;
      const link = await this.#open();
      const isEnough = await this.#firstAnswer(link)
        .then(() => this.#answersInARow(link))
        .catch((error: unknown) => {
          if (isSilence(error)) return false;
          throw error;
        })
        .finally(() => link.release());
      if (!isEnough) continue;
      this.#parts.say(`it loses what it is asked at once after an answer: gapMs: ${gapMs}`);
      return;
    }
    delete this.#settings.gapMs;
    this.#parts.say('it does not answer each request, however long it is left in peace: is the line bad?');
  }

  async #answersInARow(link: Link): Promise<boolean> {
    try {
      for (let at = 1; at < gapRequests; at++) await this.#hears(link);
      return true;
    } catch (error) {
      if (isSilence(error)) return false;
      throw error;
    }
  }

  async #identify(): Promise<void> {
    const objects = await this.#look((client) => client.readIdentification(this.#unit));
    if (!objects || objects.size === 0) return;
    const words = ['maker', 'product', 'version'].flatMap((word, at) =>
      objects.has(at) ? [`${word} ${objects.get(at)}`] : [],
    );
    this.#parts.say(`it says of itself: ${words.join(', ')}`);
  }

  async #findModels(): Promise<{ readonly base?: Place; readonly found: readonly FoundModel[] }> {
    for (const address of sunSpecBases) {
      const marker = await this.#read({ table: 'holding', address }, 2);
      if (marker?.toString('latin1') !== sunSpecMarker) continue;
      const found = await this.#walkModels(address + 2);
      const list = found.map(({ id, at }) => `${id} at ${at}`).join(', ');
      this.#parts.say(`SunSpec marker at ${address}; models ${list}`);
      return { base: { table: 'holding', address }, found };
    }
    return { found: [] };
  }

  async #walkModels(first: number): Promise<FoundModel[]> {
    const found: FoundModel[] = [];
    for (let at = first, n = 0; n < maxModels && at < 0xfffe; n++) {
      const head = await this.#read({ table: 'holding', address: at }, 2);
      const id = head?.readUInt16BE(0) ?? sunSpecEnd;
      if (id === sunSpecEnd) break;
      const length = head!.readUInt16BE(2);
      // One without registers has nothing to be read.
      if (length > 0) found.push({ id, at, length });
      at += 2 + length;
    }
    return found;
  }

  async #readable(): Promise<Place | undefined> {
    for (const table of ['holding', 'input'] as const)
      for (const address of [0, 1, 100, 1000]) {
        const place = { table, address };
        if (await this.#read(place, 1)) return place;
      }
    this.#parts.say('no register was found to be there: look them up in its manual');
    return undefined;
  }

  /** Finds the largest request from that place on. Where the registers end there, or have a hole, it is not known. */
  async #findLargest(place: Place): Promise<void> {
    if (await this.#read(place, mostRegisters)) return;
    let [given, refused] = [1, mostRegisters];
    while (refused - given > 1) {
      const count = (given + refused) >> 1;
      if (await this.#read(place, count)) given = count;
      else refused = count;
    }
    const next = { table: place.table, address: place.address + given };
    if (next.address > 0xffff || !(await this.#read(next, 1))) return;
    this.#settings.maxRegisters = given;
    this.#parts.say(
      `it gives at most ${given} registers in a request from ${place.table} ${place.address}: maxRegisters`,
    );
  }

  #whatToRead(models: readonly FoundModel[], place: Place | undefined): Settings {
    const profile = profilesFor(models, this.#config().maxRegisters);
    if (profile) return { profile };
    const { table, address } = place ?? { table: 'holding', address: 0 };
    return { tags: [{ name: `${table}-${address}`, table, address, type: 'uint16' }] };
  }

  /** Undefined where it is refused, or not answered. */
  #read({ table, address }: Place, count: number): Promise<Buffer | undefined> {
    return this.#look((client) => client.readRegisters(this.#unit, table, address, count));
  }

  /** Undefined where that is refused, or not answered. Some units close the connection over what they do not know. */
  async #look<T>(work: (client: ModbusClient) => Promise<T>): Promise<T | undefined> {
    if (this.#link?.client.lost) {
      this.#link.release();
      this.#link = await this.#open();
    }
    try {
      const found = await this.#take(this.#link!, work);
      this.#lost = 0;
      return found;
    } catch (error) {
      if (isClosed(error)) this.#lost += 1;
      if (this.#lost >= maxLost || !(isClosed(error) || concernsOneRequest(error))) throw error;
      return undefined;
    }
  }

  /** Undefined where it is refused. */
  #ask<T>(link: Link, work: (client: ModbusClient) => Promise<T>): Promise<T | undefined> {
    return this.#take(link, work).catch((error: unknown) => {
      if (error instanceof ModbusException) return undefined;
      throw error;
    });
  }

  #take<T>(link: Link, work: (client: ModbusClient) => Promise<T>): Promise<T> {
    const { clock, signal } = this.#parts;
    const timeoutMs = this.#config().timeoutMs;
    const once = () => link.turns.run('live', () => work(link.client), signal);
    if (!this.#isPatient) return once();
    return untilProven(once, { link, unit: this.#unit, timeoutMs, clock, signal });
  }

  #open(): Promise<Link> {
    return this.#makeLinks().acquire(this.#config(), this.#parts.signal, this.#learned);
  }

  #config(): ModbusSourceConfig {
    return this.#schema.parse({ ...this.#settings, tags: [anyTag] }) as ModbusSourceConfig;
  }

  get #unit(): number {
    return (this.#settings.unit as number | undefined) ?? 1;
  }
}

/** @throws HoldfastError `discover-bad-address` */
function settingsOf(where: URL): Settings {
  const type = where.protocol.slice(0, -1);
  const query = [...where.searchParams].map(([name, text]) => [
    name,
    /^\d+$/.test(text) ? Number(text) : text,
  ]);
  return { name: 'device', type, ...placeOf(where, type), ...Object.fromEntries(query) };
}

function placeOf(where: URL, type: string): Settings {
  if (type !== 'modbus-rtu')
    return {
      host: where.hostname.replace(/^\[|\]$/g, ''),
      ...(where.port !== '' && { port: Number(where.port) }),
    };
  const path = decodeURIComponent(where.pathname);
  if (where.hostname === '') return { path };
  const message = `${where.href} names no serial port: write three slashes, ${type}:///${where.hostname}${path}${where.search}`;
  throw new HoldfastError('discover-bad-address', message);
}
