/** For options that can be given several times. */
export function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}
