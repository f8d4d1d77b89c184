/** What is wrong, and what to do about it. */
export interface Diagnosis {
  readonly problem: string;
  readonly mend?: string;
}

export function sentence({ problem, mend }: Diagnosis): string {
  return mend === undefined ? problem : `${problem}: ${mend}`;
}
