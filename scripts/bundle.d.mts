/** Writes main.cjs and what it loads. Throws where a package is missing. */
export function bundle(part: 'runtime' | 'cloud-lite', folder: string): Promise<void>;
