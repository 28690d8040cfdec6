export interface Component {
  readonly group?: string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
}
/** Throws an error that names what the workspace needs and is not installed. */
export function sbomOf(root: string, workspace: string): { readonly components: readonly Component[] };
