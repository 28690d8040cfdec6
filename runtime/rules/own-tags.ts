// Names that a rule's stream has for itself (docs/WIRE.md, streams of rules).

/** Why no column may be named so; undefined where one may. */
export function ownTagProblem(name: string): string | undefined {
  if (/#\d+$/.test(name)) return 'is what a further row of the same moment would be named';
  if (name.startsWith('action#')) return 'is what becomes of an action';
  return name === 'lacking' ? 'is where a verdict names the inputs that it lacks' : undefined;
}
