// `holdfast check --twin`: whether a configuration fits the module's twin, and how much of it is used. The file is the
// configuration, or a deployment manifest that has it.
import { describeError } from '../../kernel/errors.ts';
import { readNamedFile } from '../../kernel/small-file.ts';
import {
  checkTwinSize,
  type JsonObject,
  maxTwinBytes,
  twinBytes,
  twinPatchProblems,
} from '../../wire/twin-rules.ts';
import { ConfigError } from '../config/config-error.ts';
import { jsonProblem } from '../config/json-text.ts';
import { type LoadedConfig, loadConfig, loadValue, parseYaml } from '../config/load.ts';
import { loadOver, type Overlay, overlayProblems } from '../config/overlay.ts';
import type { PlaceOf, Problem } from '../config/problem-text.ts';
import { type RawProblem, toProblem } from '../config/problems.ts';
import { twinWish } from '../config/twin-wish.ts';

/** A manifest has twins of other modules, too. */
const maxBytes = 4 * 1024 * 1024;

export interface CheckedTwin {
  /** What the module makes of it; undefined of settings alone, whose file was not named. */
  readonly loaded: LoadedConfig | undefined;
  /** What it says besides: the twin's use. */
  readonly notes: readonly string[];
  /** 0: not known. */
  readonly edgeHubKeepsMs: number;
}

/**
 * @param over the gateway's own file, which the twin's settings are laid over
 * @throws ConfigError that names what the hub or the module would refuse
 */
export async function checkTwin(file: string, module: string, over?: string): Promise<CheckedTwin> {
  const { content, placeOf } = await read(file);
  const desired = desiredOf(content, file, module);
  const isManifest = content.modulesContent !== undefined;
  const where = `${file}, as desired properties of module ${module}`;
  const unfit = hubProblems(desired).map((problem) => toProblem(problem, isManifest ? undefined : placeOf));
  const wish = twinWish({ ...desired, $version: 1 });
  if (wish.kind === 'bad') throw new ConfigError(where, [...unfit, ...wish.problems]);
  if (wish.kind === 'none' || wish.kind === 'file') {
    const message =
      wish.kind === 'file'
        ? `names the file ${wish.path}: check that one, on the gateway`
        : 'holds nothing: the file on the gateway counts';
    throw new ConfigError(where, [...unfit, { path: '', message }]);
  }
  if (wish.kind === 'inline' && over !== undefined) {
    const message = 'is a whole configuration, which goes over no file: leave --over out';
    throw new ConfigError(where, [...unfit, { path: '', message }]);
  }
  const places = isManifest ? {} : { placeOf };
  const own = over === undefined ? undefined : await loadConfig(over);
  const loaded = await (wish.kind === 'inline'
    ? loadValue(wish.value, where, places)
    : loadSettings(wish.overlay, own, isManifest ? undefined : placeOf)
  ).catch((error: unknown) => {
    throw error instanceof ConfigError
      ? new ConfigError(where, together(unfit, error.problems), error)
      : error;
  });
  if (unfit.length > 0) throw new ConfigError(where, unfit);
  const used = twinBytes(desired);
  const share = `${Math.floor((used / maxTwinBytes.desired) * 100)} %`;
  return {
    loaded,
    notes: [
      `The twin holds ${used} of ${maxTwinBytes.desired} bytes (${share}).`,
      ...(wish.kind === 'settings' ? [settingsNote(wish.overlay, over)] : []),
    ],
    edgeHubKeepsMs: keptByEdgeHub(content),
  };
}

/** Checks a twin that has settings alone, as far as that is possible without the file. */
async function loadSettings(
  overlay: Overlay,
  own: LoadedConfig | undefined,
  placeOf: PlaceOf | undefined,
): Promise<LoadedConfig | undefined> {
  const problems = overlayProblems(overlay, placeOf);
  if (problems.length > 0) throw new ConfigError('', problems);
  return own && loadOver(own, overlay);
}

function settingsNote(overlay: Overlay, over: string | undefined): string {
  const names = Object.keys(overlay).join(', ');
  if (over !== undefined) return `Its settings (${names}) are laid over ${over}.`;
  return `It holds settings alone (${names}), which are laid over the gateway's own file. Check both together: --over FILE.`;
}

function hubProblems(desired: JsonObject): readonly RawProblem[] {
  const problems: RawProblem[] = [...twinPatchProblems(desired)];
  try {
    checkTwinSize('desired', desired);
  } catch (error) {
    const message = `${describeError(error)}: what does not fit stands in a file on the gateway, which the twin names by configFile`;
    problems.push({ path: [], message });
  }
  return problems;
}

/** What the module says of a place of which the hub says more follows from it. */
function together(unfit: readonly Problem[], found: readonly Problem[]): readonly Problem[] {
  const told = new Set(unfit.map(({ path }) => path));
  return [...unfit, ...found.filter(({ path }) => path === '' || !told.has(path))];
}

async function read(file: string) {
  const bytes = await readNamedFile(file, maxBytes).catch((error: unknown) => {
    throw new ConfigError(file, [{ path: '', message: `cannot be read: ${describeError(error)}` }], error);
  });
  const text = new TextDecoder().decode(bytes);
  const { value, placeOf } = parseYaml(text, file, false);
  const content = value as JsonObject;
  // What the Azure CLI is given must be JSON, which YAML is wider than.
  if (content.modulesContent !== undefined || /\.json$/i.test(file)) {
    const problem = jsonProblem(text);
    if (problem !== undefined) throw new ConfigError(file, [problem]);
  }
  return { content, placeOf };
}

function desiredOf(content: JsonObject, file: string, module: string): JsonObject {
  const { modulesContent } = content as { modulesContent?: Record<string, JsonObject> };
  if (modulesContent === undefined) return content;
  const desired = modulesContent[module]?.['properties.desired'];
  if (typeof desired === 'object' && desired !== null) return desired as JsonObject;
  const message =
    'has no properties.desired: name the module with --module; of a layer, check what it makes of its base (docs/DEPLOY.md)';
  throw new ConfigError(file, [{ path: `modulesContent.${module}`, message }]);
}

/** How long edgeHub keeps what it cannot send, where the file is a manifest that says it; else 0. */
function keptByEdgeHub(content: JsonObject): number {
  const hub = (content.modulesContent as Record<string, JsonObject> | undefined)?.$edgeHub?.[
    'properties.desired'
  ] as
    | { routes?: Record<string, unknown>; storeAndForwardConfiguration?: { timeToLiveSecs?: number } }
    | undefined;
  const routes = Object.values(hub?.routes ?? {}) as readonly { timeToLiveSecs?: number }[];
  const ttls = [hub?.storeAndForwardConfiguration, ...routes].map(
    (each) => (each?.timeToLiveSecs ?? 0) * 1000,
  );
  return Math.max(0, ...ttls);
}
