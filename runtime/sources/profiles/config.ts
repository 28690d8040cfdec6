// Merges the settings of a profile into those of a source, before these are checked: the result is a source as a person
// could have written it.
import { z } from 'zod';
import { instrumentProfiles } from './instruments.ts';
import { meterProfiles } from './meters.ts';
import { type Profile, profileSchema } from './profile.ts';
import { sunSpecProfiles } from './sunspec.ts';

/** How a site refers to a profile. */
export const profileUse = z.union(
  [
    z.string().min(1),
    z.strictObject({
      /** A built-in profile, or a file of its own. */
      use: z.string().min(1),
      at: z.int().min(0).max(65_535, 'must be at most 65535').optional(),
      /** Stands before the names of its tags. */
      prefix: z.string().max(64).optional(),
      /** These of its tags alone. */
      only: z.array(z.string()).min(1).max(1000).optional(),
    }),
  ],
  'must be the name of a built-in profile, a file, or {use, at, prefix, only}',
);

export const profileSetting = z.union([profileUse, z.array(profileUse).min(1).max(16)]);

export type ProfileUse = z.output<typeof profileUse>;

const builtIn: Readonly<Record<string, Profile>> = {
  ...sunSpecProfiles,
  ...meterProfiles,
  ...instrumentProfiles,
};

export const profileNames: readonly string[] = Object.keys(builtIn);

export function builtInProfile(name: string): Profile | undefined {
  return Object.hasOwn(builtIn, name) ? builtIn[name] : undefined;
}

/** Of a file's content. */
export function parseProfile(value: unknown): z.ZodSafeParseResult<Profile> {
  return profileSchema.safeParse(value);
}

type Fields = Readonly<Record<string, unknown>>;

export type { Profile } from './profile.ts';

export interface Applied {
  readonly source: Fields;
  /** What is wrong with how it is asked for. */
  readonly problem?: string;
}

/** The site's own settings and tags (`ownTags`, by name) come first, and count where both say something. */
export function applyProfile(
  source: Fields,
  use: ProfileUse,
  profile: Profile,
  ownTags: ReadonlySet<unknown>,
): Applied {
  const { use: name, at = profile.at ?? 0, prefix = '', only } = typeof use === 'string' ? { use } : use;
  const { type } = source;
  if (profile.types && typeof type === 'string' && !profile.types.includes(type))
    return { source, problem: `${name} is for ${profile.types.join(', ')}, not for ${type}` };
  const missing = only?.find((tag) => !profile.tags.some((each) => each.name === tag));
  if (missing !== undefined) {
    const known = profile.tags.map((each) => each.name).join(', ');
    return { source, problem: `${name} has no tag '${missing}'; it has: ${known}` };
  }
  const before = tagsOf(source);
  const taken = new Set(before.map((tag) => tag.name));
  const tags = profile.tags
    .filter((tag) => only === undefined || only.includes(String(tag.name)))
    .map((tag) => placed(tag, at, prefix, profile.model))
    .filter((tag) => !ownTags.has(tag.name));
  const twice = tags.find((tag) => taken.has(tag.name));
  if (twice !== undefined)
    return {
      source,
      problem: `'${String(twice.name)}' is a tag of another profile as well: give ${name} a prefix`,
    };
  const onlyType = type === undefined && profile.types?.length === 1 ? { type: profile.types[0] } : {};
  return { source: { ...onlyType, ...merged(profile.settings ?? {}, source), tags: [...before, ...tags] } };
}

/** Those that stand in a source before any profile is applied. */
export function tagsOf(source: Fields): readonly Fields[] {
  const { tags } = source;
  return Array.isArray(tags) ? tags.filter((tag) => typeof tag === 'object' && tag !== null) : [];
}

function placed(tag: Fields, at: number, prefix: string, model: Profile['model']): Fields {
  const moved = (key: string) => (typeof tag[key] === 'number' ? { [key]: tag[key] + at } : {});
  return {
    ...tag,
    name: `${prefix}${String(tag.name)}`,
    ...moved('address'),
    ...moved('scaleFrom'),
    ...(model && { model: { at, ...model } }),
  };
}

/** A serial server sets the line itself. */
const ofThePort: ReadonlySet<string> = new Set(['baudRate', 'dataBits', 'parity', 'stopBits', 'flowControl']);

function merged(settings: Fields, source: Fields): Fields {
  const known = Object.entries(settings).filter(
    ([key]) => !(source.type !== 'modbus-rtu' && source.host !== undefined && ofThePort.has(key)),
  );
  const both = { ...Object.fromEntries(known), ...source };
  // How it is asked is the profile's, how often the site's.
  if (!isFields(settings.poll) || !isFields(source.poll)) return both;
  return { ...both, poll: { ...settings.poll, ...source.poll } };
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
