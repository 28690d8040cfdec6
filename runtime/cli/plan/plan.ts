// `holdfast plan`: what a site needs and costs before it is built: the load of its buses, the disk for an outage, memory,
// messages to the hub and what the hub asks for them.
import type { Clock } from '../../../kernel/clock.ts';
import { describeError } from '../../../kernel/errors.ts';
import { readNamedFile } from '../../../kernel/small-file.ts';
import { ConfigError } from '../../config/config-error.ts';
import { loadConfig } from '../../config/load.ts';
import type { Config } from '../../config/schema.ts';
import { storedOverheadBytes } from '../../spool/format/message-record.ts';
import { retentionLimits } from '../../spool/retention/retention-policy.ts';
import { exitCodes } from '../exit-codes.ts';
import { planSite, type SitePlan } from '../site-plan.ts';
import { type AzureCost, type AzureParameters, azureCost, parametersOf } from './azure-cost.ts';
import { cheapest, hubCosts, type TierCost } from './hub-cost.ts';
import { planMemory } from './memory.ts';
import { type Outage, planOutage } from './outage.ts';
import { listPrices, type Prices, withPrices } from './prices.ts';

export interface PlanOptions {
  readonly json?: boolean;
  /** Like this one. */
  readonly gateways: number;
  /** Free on the data folder's disk. */
  readonly diskGb?: number;
  /** JSON. */
  readonly prices?: string;
  /** Parameters of deploy/azure. */
  readonly azure?: string;
}

export interface Plan {
  readonly site: SitePlan;
  readonly outage: Outage;
  readonly memory: { readonly mb: number };
  readonly gateways: number;
  readonly hub: readonly TierCost[];
  /** Cost of the whole cloud side, where its parameters were given. */
  readonly azure?: AzureCost;
  /** `areListed`: those that come with the program, none of the reader's own. */
  readonly prices: { readonly asOf: string; readonly currency: string; readonly areListed: boolean };
}

/** Prints the plan, or all that is wrong. Returns the exit code. */
export async function printPlan(file: string, options: PlanOptions, clock: Clock): Promise<number> {
  try {
    const prices = await readPrices(options.prices);
    const { config } = await loadConfig(file);
    const plan = withAzure(
      planAll(config, options, prices, clock, await ruleMessages(config)),
      await readJson(options.azure, parametersOf),
      prices,
    );
    console.log(options.json ? JSON.stringify(plan) : planText(file, plan));
    return exitCodes.ok;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    return exitCodes.badInput;
  }
}

const maxBytes = 1024 * 1024;

export async function readPrices(file: string | undefined): Promise<Prices> {
  return (await readJson(file, withPrices)) ?? listPrices;
}

async function readJson<T>(file: string | undefined, of: (value: unknown) => T): Promise<T | undefined> {
  if (file === undefined) return undefined;
  try {
    return of(JSON.parse(new TextDecoder().decode(await readNamedFile(file, maxBytes))));
  } catch (error) {
    throw new ConfigError(file, [{ path: '', message: describeError(error) }], error);
  }
}

export function planAll(
  config: Config,
  { gateways, diskGb }: Pick<PlanOptions, 'gateways' | 'diskGb'>,
  prices: Prices,
  clock: Clock,
  ruleMessagesPerDay = 0,
): Plan {
  const site = planSite(config, clock, ruleMessagesPerDay);
  const sent = site.streams.map(({ messagesPerDay, bytesPerDay }) => ({
    messagesPerDay,
    bytesPerMessage: messagesPerDay === 0 ? 0 : bytesPerDay / messagesPerDay,
  }));
  // Rows of rules are short: a message each, and a unit of any tier.
  sent.push({ messagesPerDay: ruleMessagesPerDay, bytesPerMessage: 0 });
  const limits = retentionLimits(config.spool.retention);
  const diskBytes = diskGb === undefined ? undefined : diskGb * 1e9;
  return {
    site,
    outage: planOutage(site.total, limits, diskBytes, storedOverheadBytes),
    memory: planMemory(config, site.total.readingsPerDay),
    gateways,
    hub: hubCosts(sent, gateways, prices),
    prices: { asOf: prices.asOf, currency: prices.currency, areListed: prices === listPrices },
  };
}

/** What the streams of rules send at most. Rules are loaded only where there are any. */
async function ruleMessages(config: Config): Promise<number> {
  if (config.rules.length === 0) return 0;
  const { planRules } = await import('../rules/rules-plan.ts');
  return planRules(config).reduce((sum, { messagesPerDay }) => sum + messagesPerDay, 0);
}

/** @throws ConfigError where a price is not known */
export function withAzure(plan: Plan, given: AzureParameters | undefined, prices: Prices): Plan {
  if (given === undefined) return plan;
  const { messagesPerDay, bytesPerDay } = plan.site.total;
  const { gateways } = plan;
  const sent = {
    messagesPerDay: messagesPerDay * gateways,
    bytesPerDay: bytesPerDay * gateways,
    meteredPerDay: plan.hub.find(({ tier }) => tier === given.hubSku)?.meteredPerDay ?? 0,
  };
  try {
    return { ...plan, azure: azureCost(given, sent, prices) };
  } catch (error) {
    throw new ConfigError('--azure', [{ path: '', message: describeError(error) }], error);
  }
}

/** The image's limit, as the deployments set it. */
const memoryLimitMb = 256;

const amount = (number: number, word: string) => `${count(number)} ${word}${number === 1 ? '' : 's'}`;

export function planText(file: string, plan: Plan): string {
  const { site, outage, memory } = plan;
  const { total } = site;
  const lines = [`${file}: ${amount(site.streams.length, 'source')}.`, '', 'Buses'];
  for (const { name, requestsPerSecond, load } of site.buses) {
    const share = load === undefined ? '' : `, ${Math.round(load * 100)} % of the line's time`;
    lines.push(`  ${name}: ${amount(requestsPerSecond, 'request')}/s${share}`);
  }
  lines.push(
    '',
    'To the hub in a day, where every poll brings a reading of every tag',
    `  ${amount(total.readingsPerDay, 'reading')} in ${amount(total.messagesPerDay, 'message')}, ${size(total.bytesPerDay)}`,
    '',
    'Disk',
    `  ${size(outage.storedPerDay)} a day while the network is away; room for ${size(outage.roomBytes)}`,
    `  An outage of ${days(outage.days)} loses nothing (bound by ${outage.boundBy})`,
  );
  if (outage.boundBy !== 'spool.retention.unsentMs')
    lines.push(`  All of spool.retention.unsentMs takes ${size(outage.wantedBytes)}`);
  const isTight = memory.mb > memoryLimitMb * 0.9;
  lines.push(
    '',
    'Memory',
    `  about ${memory.mb} MB of the image's ${memoryLimitMb}${isTight ? ': raise the limit, or close windows sooner' : ''}`,
    ...costLines(plan),
    ...azureLines(plan),
    ...site.warnings.map((warning) => `\nwarning: ${warning}`),
  );
  return lines.join('\n');
}

function costLines({ hub, gateways, prices }: Plan): string[] {
  const best = cheapest(hub);
  const lines = hub.map(({ tier, units, meteredPerDay, perDay, perMonth }) => {
    const what = `${tier}: ${count(meteredPerDay)} metered messages a day`;
    if (units === undefined) return `  ${what}: more than the tier takes`;
    const least = tier === best?.tier ? ', the least' : '';
    return `  ${what}, ${plural(units, 'unit')}: ${money(perDay!)} a day, ${money(perMonth!)} a month${least}`;
  });
  const { asOf, currency, areListed } = prices;
  return [
    '',
    `IoT Hub for ${plural(gateways, 'gateway')} like this, ${currency}, prices of ${asOf}`,
    ...lines,
    priceNote(asOf, areListed),
  ];
}

function azureLines({ azure, prices }: Plan): string[] {
  if (azure === undefined) return [];
  const { lines, perMonth, warnings } = azure;
  return [
    '',
    `The cloud side by these parameters, ${prices.currency} a month, prices of ${prices.asOf}`,
    ...lines.map((line) => `  ${line.what}: ${money(line.perMonth)}`),
    `  together: ${money(perMonth)}`,
    ...warnings.map((warning) => `\nwarning: ${warning}`),
  ];
}

const priceNote = (asOf: string, areListed: boolean) =>
  areListed
    ? `  List prices of ${asOf}, East US, without tax. They change: look them up, and give yours by --prices FILE`
    : `  What the file of prices does not name counts as in the list of ${listPrices.asOf}, in ${listPrices.currency}`;

const count = (value: number): string => Math.round(value).toLocaleString('en-US');
const plural = (value: number, word: string): string => `${count(value)} ${word}${value === 1 ? '' : 's'}`;
const money = (value: number): string =>
  value.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 });

function size(bytes: number): string {
  const [unit, by] = bytes < 1e6 ? ['kB', 1e3] : bytes < 1e9 ? ['MB', 1e6] : ['GB', 1e9];
  return `${(bytes / (by as number)).toFixed(1)} ${unit}`;
}

/** Cut, not rounded: what is said to fit fits. */
function days(value: number): string {
  return value < 2 ? `${Math.floor(value * 24)} hours` : `${(Math.floor(value * 10) / 10).toFixed(1)} days`;
}
