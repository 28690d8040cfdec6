// How the names of tags and of the fields of a query belong together.

/** The tag itself, a record that it is a part of, or a part of its value. */
export function isFieldOf(tag: string, field: string): boolean {
  const [one, other] = [tag.toLowerCase(), field.toLowerCase()];
  return one === other || one.startsWith(`${other}.`) || other.startsWith(`${one}.`);
}
