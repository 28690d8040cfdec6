// A fleet of light gateways, the lab hub, and the real detector that reads their twins.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConfigurationPage, GatewayPage } from '../../cloud-lite/gateways/gateways.ts';
import { type DetectorProcess, startDetector } from '../../cloud-lite/testing/detector-process.ts';
import { type Hub, startHub } from '../hub/hub.ts';
import { callService } from '../hub/testing/rest.ts';
import { type LightGateway, startLightGateway } from './light-gateway.ts';
import { type Ring, rollOut } from './roll-out.ts';

export interface RingsLabOptions {
  /** Gateways of each ring. */
  readonly sizes: readonly number[];
  /** A configuration on trial is taken back after so long. */
  readonly revertAfterMs: number;
  /** The built dashboard; without it there is no page. */
  readonly dashboardFolder?: string;
  readonly say: (text: string) => void;
}

export interface Outcome {
  readonly isThrough: boolean;
  readonly touched: readonly string[];
  readonly seconds: number;
}

/** At once: to connect, and to be sent a patch. */
const atOnce = 24;
const lookMs = 300;

export class RingsLab {
  readonly #options: RingsLabOptions;
  readonly #folder: string;
  readonly rings: readonly Ring[];
  readonly gateways: LightGateway[] = [];
  #hub: Hub | undefined;
  #detector: DetectorProcess | undefined;

  constructor(options: RingsLabOptions) {
    this.#options = options;
    this.#folder = mkdtempSync(join(tmpdir(), 'holdfast-rings-'));
    this.rings = options.sizes.map((size, ring) => ({
      name: String(ring),
      gateways: Array.from({ length: size }, (_, n) => `gate-${ring}-${String(n).padStart(4, '0')}`),
    }));
  }

  get detectorUrl(): string {
    return this.#detector!.url;
  }

  /** All run the same configuration afterwards, and the detector knows it. Returns its hash. */
  async start(): Promise<string> {
    const { say, dashboardFolder } = this.#options;
    const hub = await startHub();
    this.#hub = hub;
    this.#detector = await startDetector({
      HOLDFAST_DATA_FOLDER: this.#folder,
      HOLDFAST_HUB_CONNECTION: hub.serviceConnectionString,
      HOLDFAST_EVENTHUB_CONNECTION: hub.eventHubConnectionString,
      HOLDFAST_TWINS_INTERVAL_MS: '500',
      HOLDFAST_TWINS_PAUSE_MS: '0',
      HOLDFAST_LOG_LEVEL: 'warn',
      NODE_EXTRA_CA_CERTS: hub.caFile,
      ...(dashboardFolder !== undefined && { HOLDFAST_DASHBOARD_FOLDER: dashboardFolder }),
    });
    const places = this.rings.flatMap((ring) => ring.gateways.map((deviceId, n) => ({ deviceId, ring, n })));
    const ca = readFileSync(hub.caFile, 'utf8');
    await inTurns(places, async ({ deviceId, ring, n }) => {
      const { key } = hub.register(deviceId, 'holdfast');
      const tags = { ring: Number(ring.name), site: `site-${n % 7}`, line: n % 2 === 0 ? 'press' : 'pack' };
      await this.#call(`/twins/${deviceId}`, { tags });
      await this.#patch(deviceId, this.#configuration('10.0.0.5'));
      this.gateways.push(await startLightGateway({ deviceId, port: hub.amqpsPort, ca, key }));
    });
    say(`${places.length} gateways are connected`);
    const isKnown = ({ counts }: GatewayPage) => counts.well === places.length;
    await this.#until(() => this.#get<GatewayPage>('gateways?limit=1'), isKnown);
    const { configurations } = await this.configurations();
    return configurations[0]!.hash!;
  }

  /** Sends it ring by ring, as far as it goes. */
  async rollOut(change: object, former: string): Promise<Outcome> {
    const startedAt = performance.now();
    const { touched, isThrough } = await rollOut({
      rings: this.rings,
      send: (ring) => inTurns(ring.gateways, (deviceId) => this.#patch(deviceId, change)),
      look: () => this.configurations(),
      wait: () => sleep(lookMs),
      former,
      say: this.#options.say,
    });
    const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
    return { isThrough, touched: touched.map(({ name }) => name), seconds };
  }

  /** Once every gateway of the ring said what became of what it was sent last. */
  async settle(ring: Ring): Promise<void> {
    await this.#until(
      () => this.configurations(),
      ({ configurations }) =>
        configurations.every(
          ({ group, states }) => group !== ring.name || states.trial + states.unknown === 0,
        ),
    );
  }

  /** As somebody would who puts the twins of a ring right. */
  async restore(ring: Ring, host = '10.0.0.5'): Promise<void> {
    const change = { ...this.#configuration(host), sources: { press: { host, unit: 1 } } };
    await inTurns(ring.gateways, (deviceId) => this.#patch(deviceId, change));
  }

  configurations(): Promise<ConfigurationPage> {
    return this.#get('configurations?by=ring');
  }

  async until(isSo: (page: ConfigurationPage) => boolean): Promise<void> {
    await this.#until(() => this.configurations(), isSo);
  }

  async stop(): Promise<void> {
    await inTurns(this.gateways, (gateway) => gateway.stop());
    await this.#detector?.stop();
    await this.#hub?.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #configuration(host: string): object {
    const tags = [{ name: 'level', address: 0, type: 'int16' }];
    const { revertAfterMs } = this.#options;
    return { revertAfterMs, sources: { press: { type: 'modbus-tcp', host, unit: 1, tags } } };
  }

  #patch(deviceId: string, desired: object): Promise<void> {
    return this.#call(`/twins/${deviceId}/modules/holdfast`, { properties: { desired } });
  }

  async #call(path: string, body: object): Promise<void> {
    const { status } = await callService(this.#hub!, 'PATCH', path, body);
    if (status !== 200) throw new Error(`PATCH ${path}: ${status}`);
  }

  async #get<T>(path: string): Promise<T> {
    const response = await fetch(`${this.#detector!.url}/api/${path}`);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  async #until<T>(look: () => Promise<T>, isSo: (seen: T) => boolean): Promise<void> {
    const endAt = performance.now() + 600_000;
    for (let seen = await look(); !isSo(seen); seen = await look()) {
      if (performance.now() > endAt) throw new Error(`never so: ${JSON.stringify(seen).slice(0, 2000)}`);
      await sleep(lookMs);
    }
  }
}

async function inTurns<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const left = [...items];
  const one = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, one));
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
