// What the cloud side costs a month, as deploy/azure/main.bicep makes it from its parameters. Pure. Data that leaves a region and
// taxes are not in it; logs are an assumption.
import { hoursPerMonth, type Prices } from './prices.ts';

/** The parameters of deploy/azure that cost something. */
export interface AzureParameters {
  readonly hubSku: string;
  readonly hubUnits: number;
  readonly throughputUnits: number;
  readonly databaseSku: string;
  readonly databaseStorageGb: number;
  readonly databaseStandby: boolean;
  readonly replicas: number;
}

export interface CostLine {
  readonly what: string;
  readonly perMonth: number;
}

export interface AzureCost {
  readonly lines: readonly CostLine[];
  readonly perMonth: number;
  /** What the parameters are too small for. */
  readonly warnings: readonly string[];
}

const daysPerMonth = 365 / 12;
const secondsPerMonth = hoursPerMonth * 3600;
/** Resources of one instance of the detector, as in main.bicep. */
const instance = { vcpu: 0.5, gib: 1 };
/** The log of one instance at the level info, with alerts. */
const logGbPerInstance = 0.5;
/** The event hub takes so much a throughput unit. */
const throughput = { messagesPerSecond: 1000, bytesPerSecond: 1_000_000 };

export function azureCost(
  given: AzureParameters,
  sent: { readonly messagesPerDay: number; readonly bytesPerDay: number; readonly meteredPerDay: number },
  prices: Prices,
): AzureCost {
  const tier = prices.iotHub[given.hubSku];
  const server = prices.postgres.perHour[given.databaseSku];
  if (tier === undefined) throw new Error(`no price of the tier ${given.hubSku} of IoT Hub is known`);
  if (server === undefined)
    throw new Error(`no price of the database size ${given.databaseSku} is known: add it by --prices`);
  const { eventHubs, containerApps, logAnalytics, postgres } = prices;
  const servers = given.databaseStandby ? 2 : 1;
  const vcpuSeconds = given.replicas * instance.vcpu * secondsPerMonth;
  const gibSeconds = given.replicas * instance.gib * secondsPerMonth;
  const lines: CostLine[] = [
    { what: `IoT Hub, ${given.hubUnits} x ${given.hubSku}`, perMonth: given.hubUnits * tier.perUnitMonth },
    {
      what: `Event Hubs, ${given.throughputUnits} throughput units and the events`,
      perMonth:
        given.throughputUnits * eventHubs.perThroughputUnitHour * hoursPerMonth +
        ((sent.messagesPerDay * daysPerMonth) / 1e6) * eventHubs.perMillionEvents,
    },
    {
      what: `PostgreSQL, ${servers} x ${given.databaseSku} with ${given.databaseStorageGb} GB`,
      perMonth: servers * (server * hoursPerMonth + given.databaseStorageGb * postgres.perGbMonth),
    },
    {
      what: `Container Apps, ${given.replicas} x ${instance.vcpu} vCPU and ${instance.gib} GiB`,
      perMonth:
        beyond(vcpuSeconds, containerApps.freeVcpuSeconds) * containerApps.perVcpuSecond +
        beyond(gibSeconds, containerApps.freeGibSeconds) * containerApps.perGibSecond,
    },
    {
      what: `Log Analytics, ${given.replicas * logGbPerInstance} GB assumed`,
      perMonth: beyond(given.replicas * logGbPerInstance, logAnalytics.freeGbMonth) * logAnalytics.perGb,
    },
  ];
  return {
    lines,
    perMonth: lines.reduce((sum, { perMonth }) => sum + perMonth, 0),
    warnings: warningsOf(given, tier.messagesPerDay * given.hubUnits, sent),
  };
}

const beyond = (used: number, free: number) => Math.max(0, used - free);

function warningsOf(
  { hubSku, hubUnits, throughputUnits }: AzureParameters,
  takesPerDay: number,
  sent: Parameters<typeof azureCost>[1],
): readonly string[] {
  const warnings: string[] = [];
  if (sent.meteredPerDay > takesPerDay)
    warnings.push(
      `hubUnits: ${hubUnits} x ${hubSku} take ${Math.round(takesPerDay)} metered messages a day, and ${Math.round(sent.meteredPerDay)} would be sent`,
    );
  const needed = Math.ceil(
    Math.max(
      sent.messagesPerDay / 86_400 / throughput.messagesPerSecond,
      sent.bytesPerDay / 86_400 / throughput.bytesPerSecond,
    ),
  );
  if (needed > throughputUnits)
    warnings.push(
      `throughputUnits: ${needed} are needed without any backlog, and there are ${throughputUnits}`,
    );
  return warnings;
}

const needed: Readonly<Record<keyof AzureParameters, 'string' | 'number' | 'boolean'>> = {
  hubSku: 'string',
  hubUnits: 'number',
  throughputUnits: 'number',
  databaseSku: 'string',
  databaseStorageGb: 'number',
  databaseStandby: 'boolean',
  replicas: 'number',
};

/** Reads a parameter file of ARM. @throws Error that names what is missing */
export function parametersOf(file: unknown): AzureParameters {
  const { parameters } = (file ?? {}) as { parameters?: Record<string, { value?: unknown } | undefined> };
  const wrong = Object.entries(needed).filter(([name, type]) => typeof parameters?.[name]?.value !== type);
  if (wrong.length > 0)
    throw new Error(`parameters lacks ${wrong.map(([name, type]) => `${name} (${type})`).join(', ')}`);
  const values = Object.keys(needed).map((name) => [name, parameters![name]!.value]);
  return Object.fromEntries(values) as AzureParameters;
}
