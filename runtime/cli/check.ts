// `holdfast check`: whether a configuration is valid, and the load that it puts on each bus and on the hub.
import type { Clock } from '../../kernel/clock.ts';
import { ConfigError } from '../config/config-error.ts';
import { loadConfig } from '../config/load.ts';
import { shownHash } from '../config/version.ts';
import { archiveNotes } from './archive-notes.ts';
import { checkTwin } from './check-twin.ts';
import { exitCodes } from './exit-codes.ts';
import { planSite, type SitePlan, type StreamPlan } from './site-plan.ts';

export interface CheckOptions {
  readonly json?: boolean;
  /** As the module's twin would hold it. */
  readonly twin?: boolean;
  /** In a deployment manifest. */
  readonly module: string;
  /** The gateway's own file, which settings of the twin are laid over. */
  readonly over?: string;
}

/** Prints all that is wrong, or the plan. Returns the exit code. */
export async function checkConfig(file: string, options: CheckOptions, clock: Clock): Promise<number> {
  try {
    if (options.over !== undefined && !options.twin)
      throw new ConfigError('arguments', [
        { path: '', message: '--over is for settings of a twin: give --twin' },
      ]);
    const checked = options.twin
      ? await checkTwin(file, options.module, options.over)
      : { loaded: await loadConfig(file), notes: [], edgeHubKeepsMs: 0 };
    const { loaded } = checked;
    if (loaded === undefined) {
      const { notes } = checked;
      console.log(options.json ? JSON.stringify({ notes }) : [`${file}: valid.`, ...notes].join('\n\n'));
      return exitCodes.ok;
    }
    const { config, hash } = loaded;
    const rules = config.rules.length === 0 ? undefined : await import('./rules/rules-plan.ts');
    const planned = rules?.planRules(config);
    const ruleMessages = (planned ?? []).reduce((sum, { messagesPerDay }) => sum + messagesPerDay, 0);
    const plan = planSite(config, clock, ruleMessages);
    const notes = [...checked.notes, ...archiveNotes(checked.edgeHubKeepsMs, config, plan.total)];
    if (options.json)
      console.log(
        JSON.stringify({
          ...plan,
          hash: shownHash(hash),
          ...(planned && { rules: planned }),
          ...(options.twin && { notes }),
        }),
      );
    else {
      const known = `Gateways that want it report the hash ${shownHash(hash)}.`;
      console.log([describePlan(file, plan), ...notes, known].join('\n\n'));
      if (rules !== undefined) console.log(`\nRules:\n${rules.rulesText(planned!)}`);
    }
    return exitCodes.ok;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    return exitCodes.badInput;
  }
}

/** Blocks listed of one poll. */
const maxBlocks = 8;

export function describePlan(file: string, { buses, streams, total, warnings }: SitePlan): string {
  const tags = streams.reduce((sum, { polls }) => sum + polls.reduce((all, poll) => all + poll.tags, 0), 0);
  const lines = [`${file}: valid. Sources: ${streams.length}, tags: ${tags}.`];
  for (const bus of buses) {
    const load = bus.load === undefined ? '' : `, ${Math.round(bus.load * 100)} % of the line's time`;
    lines.push('', `${bus.name}: ${plural(bus.requestsPerSecond, 'request')}/s${load}`);
    for (const stream of streams.filter(({ bus: name }) => name === bus.name))
      lines.push(...describe(stream));
  }
  if (streams.length > 0) {
    lines.push(
      '',
      'To the hub, where every poll brings a reading of every tag and values change a little each time:',
      ...hubLines(total),
    );
  }
  for (const warning of warnings) lines.push('', `warning: ${warning}`);
  return lines.join('\n');
}

function hubLines({
  readingsPerDay,
  messagesPerDay,
  bytesPerDay,
  unitsPerDay,
  ruleMessagesPerDay: ofRules,
}: SitePlan['total']) {
  const messages = (from: number) => `${count(messagesPerDay - from)} messages`;
  const units = (from: number) => `${count(unitsPerDay - from)} metered units of 4 KB a day`;
  const sources = `  ${count(readingsPerDay)} readings, ${messages(ofRules)}, ${bytes(bytesPerDay)}, ${units(ofRules)}`;
  if (ofRules === 0) return [sources];
  return [
    sources,
    `  of rules at most ${count(ofRules)} messages, for one key each, and as many units where their rows are short`,
    `  in all at most ${messages(0)}, ${units(0)}`,
  ];
}

function describe({ name, polls, messagesPerDay, bytesPerDay }: StreamPlan): string[] {
  const lines = polls.map(({ pollMs, tags, requests, blocks, how }) => {
    const more = blocks.length > maxBlocks ? `, and ${blocks.length - maxBlocks} more` : '';
    const read = blocks.length === 0 ? '' : `: ${blocks.slice(0, maxBlocks).join(', ')}${more}`;
    const said = how ?? `every ${pollMs} ms: ${plural(tags, 'tag')} in ${plural(requests, 'request')}`;
    return `    ${said}${read}`;
  });
  return [`  ${name}: ${count(messagesPerDay)} messages and ${bytes(bytesPerDay)} a day`, ...lines];
}

function plural(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`;
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function bytes(value: number): string {
  return value < 1e6 ? `${(value / 1e3).toFixed(1)} kB` : `${(value / 1e6).toFixed(1)} MB`;
}
