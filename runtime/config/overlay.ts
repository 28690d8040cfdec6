// Settings that the module twin lays over the gateway's own file, by key, as a twin's patches merge: a fleet whose configurations stand
// on its gateways can be asked for more of a log, or sent to slower windows, without knowing them.
import { ConfigError } from './config-error.ts';
import { configJsonSchema } from './json-schema.ts';
import { hashOf, type LoadedConfig, loadValue } from './load.ts';
import type { PlaceOf, Problem } from './problem-text.ts';
import { formatPath, parseParams, problemsOf, type RawProblem, toProblem } from './problems.ts';
import { overlaySchema } from './schema.ts';
import { allSettings, type SchemaNode } from './schema-tree.ts';
import { withDurations, withVariables } from './values.ts';

export type Overlay = Readonly<Record<string, unknown>>;

export const isOverlay = (value: unknown): value is Overlay =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What is wrong with the settings by themselves. They are somebody's who is far away: variables are not for them. */
export function overlayProblems(overlay: Overlay, placeOf?: PlaceOf): readonly Problem[] {
  const { problems: variables } = withVariables(overlay, undefined);
  const input = withDurations(overlay);
  const result = overlaySchema.safeParse(input, parseParams);
  const known = new Set(variables.map(({ path }) => formatPath(path)));
  const found = result.success
    ? []
    : problemsOf(result.error, input).filter(({ path }) => !known.has(formatPath(path)));
  return [...variables, ...found.map(ofFile)].map((raw) => toProblem(raw, placeOf, input));
}

/** `own` with the settings over it. @throws ConfigError that lists what is wrong with them, or with both together */
export async function loadOver(own: LoadedConfig, overlay: Overlay): Promise<LoadedConfig> {
  const input = laidOver(own.input, overlay);
  const where = 'settings of the module twin';
  const problems = overlayProblems(overlay);
  if (problems.length > 0) throw new ConfigError(where, problems, undefined, hashOf(withDurations(input)));
  return { ...(await loadValue(input, where, { isResolved: true })), files: own.files };
}

const parts: Readonly<Record<string, readonly string[]>> = {
  spool: Object.keys(overlaySchema.shape.spool.unwrap().shape),
  uplink: Object.keys(overlaySchema.shape.uplink.unwrap().shape),
};
const whole = Object.keys(overlaySchema.shape).filter((name) => !(name in parts));

/** What may be laid over a file. */
export const overlaid: readonly string[] = [
  ...whole,
  ...Object.entries(parts).flatMap(([name, inner]) => inner.map((each) => `${name}.${each}`)),
];

function laidOver(own: unknown, over: unknown): unknown {
  if (!isOverlay(own) || !isOverlay(over)) return over;
  const merged = Object.entries(over).map(([name, value]) => [name, laidOver(own[name], value)]);
  return { ...own, ...Object.fromEntries(merged) };
}

/** The problem of a setting that exists, but only in the file or in a whole configuration. */
function ofFile(problem: RawProblem): RawProblem {
  const { unknownKey, path } = problem;
  if (unknownKey === undefined || !allSettings(configJsonSchema() as SchemaNode).has(formatPath(path)))
    return problem;
  const others = parts[String(path[0])];
  const list = others ?? [...whole, `parts of ${Object.keys(parts).join(' and ')}`];
  const message = `does not go over the gateway's own file: set it there, or give the twin a whole configuration, with sources. Over a file go ${list.join(', ')}`;
  return { path, message };
}
