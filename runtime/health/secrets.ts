// Removes secrets from what leaves the gateway in a bundle: their values, wherever they turn up (a log line, an error of a
// library, a setting that was misused), and whatever looks like a secret. To know the values, it reads them: from the
// environment, and from the files that environment and configuration name as keys.
import { readSmallFile } from '../../kernel/small-file.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const secretName = /key|secret|token|passw|credential|connection_?string|\bpin\b|\bsas\b|signature/i;
/** Settings that say in which variable of the environment a secret is. */
const namesVariable = /env(?:ironment)?$/i;
/** Whatever is below these is secret, too. */
const secretBelow = /passw|secret|token|credential/i;
const maxFileBytes = 64 * 1024;
/** Shorter values would take half of all texts out with them. */
const leastChars = 6;
const replacement = '[secret]';
/** A text of this length that begins a secret counts as secret, since the rest may have been cut off. */
const beginningChars = 10;

/** Every secret that this process can know. Never rejects: a file that cannot be read has told nobody anything. */
export async function collectSecrets(environment: Environment, config: unknown): Promise<readonly string[]> {
  const found = new Set<string>();
  const files = new Set<string>();
  for (const [name, value] of Object.entries(environment)) {
    if (!value) continue;
    // Of a proxy, a database: whatever the variable is called.
    for (const password of passwordsIn(value)) found.add(password);
    if (!secretName.test(name)) continue;
    if (name.endsWith('_FILE')) files.add(value);
    else found.add(value.trim());
  }
  walk(config, (path, value) => {
    if (namesVariable.test(path.at(-1) ?? '')) {
      const secret = environment[value]?.trim();
      if (secret) found.add(secret);
    } else if (/file$/i.test(path.at(-1) ?? '') && path.some((part) => secretName.test(part)))
      files.add(value);
    else if (secretName.test(path.at(-1) ?? '')) found.add(value);
  });
  for (const file of files) {
    const bytes = await readSmallFile(file, maxFileBytes).catch(() => undefined);
    if (bytes === undefined) continue;
    for (const encoding of ['utf8', 'hex', 'base64'] as const) found.add(bytes.toString(encoding).trim());
  }
  return [...new Set([...found].flatMap(formsOf))].filter((text) => text.length >= leastChars);
}

/** The value without them: each text within it by itself, before anything is written as JSON, whose escapes would hide some. */
export function valueWithoutSecrets(value: unknown, secrets: readonly string[], isSecret = false): unknown {
  if (typeof value === 'string') return isSecret ? replacement : withoutSecrets(value, secrets);
  if (Array.isArray(value)) return value.map((item) => valueWithoutSecrets(item, secrets, isSecret));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => {
      const isNamed = secretName.test(name) && !/file$/i.test(name) && !namesVariable.test(name);
      const isObject = typeof inner === 'object' && !Array.isArray(inner);
      const isBelow = isNamed && (!isObject || secretBelow.test(name));
      return [withoutSecrets(name, secrets), valueWithoutSecrets(inner, secrets, isSecret || isBelow)];
    }),
  );
}

/** The text without them. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  let clean = text;
  // The longest first: one may hold another.
  const sorted = secrets.toSorted((a, b) => b.length - a.length);
  for (const secret of sorted) clean = clean.replaceAll(secret, replacement);
  // Whoever cut a text may have cut through one. Only once all that are whole are gone: the forms of one begin alike, and
  // what stands behind a whole one is no part of it.
  for (const secret of sorted) {
    const beginning = secret.slice(0, beginningChars);
    if (
      secret.length <= beginningChars ||
      /\s|^[./]|HostName=/i.test(beginning) ||
      !clean.includes(beginning)
    )
      continue;
    clean = clean
      .split(beginning)
      .reduce((all, rest) => `${all}${replacement}${rest.replace(/^[^\s"',;&]*/, '')}`);
  }
  return (
    clean
      .replace(
        /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g,
        replacement,
      )
      .replace(
        /((?:(?:SharedAccess|(?:api|access|account|primary|secondary|private)[-_]?)key|sig|password|passphrase|pwd|passwd|secret|token|credentials?|\b(?:pass|pin)(?=\s*=))(?:\\*["'])?\s*[=:]\s*(?:\\*["'])?)[^\s;&"'\\,}]{3,}/gi,
        `$1${replacement}`,
      )
      .replace(/(<[\w:]*(?:password|secret|token)[\w:]*>)[^<\s]{3,}/gi, `$1${replacement}`)
      .replace(/\b((?:set-)?cookie:\s*|digest\s+(?=\w+=))[^\s"'[][^'\n]*/gi, `$1${replacement}`)
      // A token of the form that signs itself.
      .replace(/\beyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*/g, replacement)
      .replace(
        /\b(Bearer|Basic|SharedAccessSignature)\s+(?!\[secret\])[\w+/=.%&:-]{6,}/gi,
        `$1 ${replacement}`,
      )
      // A password may itself hold a slash or an @.
      .replace(/(:\/\/[^\s/:@"]+):[^\s"']+@/g, `$1:${replacement}@`)
      // A token in place of a user.
      .replace(/(:\/\/)[^\s/:@"'[]{16,}@/g, `$1${replacement}@`)
  );
}

/** As an address has it, and as whoever signs in has it. */
function passwordsIn(text: string): string[] {
  return [...text.matchAll(/:\/\/[^\s/:@"]*:([^\s"']+)@/g)].flatMap(([, password = '']) => {
    try {
      return [password, decodeURIComponent(password)];
    } catch {
      return [password];
    }
  });
}

/** The forms in which a secret may appear: as it is, line by line, within JSON, within a URL; and the key of a connection string. */
function formsOf(secret: string): string[] {
  const key = /SharedAccessKey=([^;\s]+)/i.exec(secret)?.[1];
  const lines = secret.includes('\n') ? secret.split(/\r?\n/).map((line) => line.trim()) : [];
  return [secret, key, ...lines.filter((line) => line.length >= 12 && !line.startsWith('-----'))]
    .filter((text): text is string => text !== undefined && text.length > 0)
    .flatMap((text) => [
      text,
      ...[1, 2, 3].map((levels) => asJson(text, levels)),
      encodeURIComponent(text),
      encodeURIComponent(text).replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
      ...(['base64', 'base64url', 'hex'] as const).map((encoding) =>
        Buffer.from(text, 'utf8').toString(encoding),
      ),
    ]);
}

/** Within texts within texts that are JSON. */
function asJson(text: string, levels: number): string {
  return levels === 0 ? text : asJson(JSON.stringify(text).slice(1, -1), levels - 1);
}

function walk(
  value: unknown,
  visit: (path: readonly string[], text: string) => void,
  path: readonly string[] = [],
): void {
  if (typeof value === 'string') visit(path, value);
  else if (Array.isArray(value)) for (const item of value) walk(item, visit, path);
  else if (typeof value === 'object' && value !== null)
    for (const [name, inner] of Object.entries(value)) walk(inner, visit, [...path, name]);
}
