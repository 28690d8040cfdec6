// published below
export {};
