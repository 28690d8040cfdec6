const maxNamed = 5;

/** For people: which tags the equipment does not give, and why; undefined where it gives all. */
export function describeRefused(refused: ReadonlyMap<string, string>): string | undefined {
  if (refused.size === 0) return undefined;
  const named = [...refused].slice(0, maxNamed).map(([tag, reason]) => `${tag} (${reason})`);
  const more = refused.size - named.length;
  const list = `${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
  return refused.size === 1 ? `a tag is not given: ${list}` : `${refused.size} tags are not given: ${list}`;
}
