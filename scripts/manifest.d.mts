// biome-ignore lint/suspicious/noExplicitAny: a manifest holds what the modules of a gateway want.
type Json = any;
export interface Manifest {
  readonly modulesContent: Json;
}
export function expand(template: unknown, env: Readonly<Record<string, string | undefined>>): Manifest;
export function merge(base: Manifest, ...layers: readonly Manifest[]): Manifest;
export interface NamedManifest {
  readonly name: string;
  readonly manifest: Manifest;
}
export function mergeNamed(
  base: Manifest,
  layers: readonly NamedManifest[],
): { readonly manifest: Manifest; readonly notes: readonly string[] };
