/** Runs `run` for many seeds, SEED and SEEDS of the environment before the defaults; says which one failed. */
export function forSeeds(count: number, run: (seed: number) => void): void {
  const first = Number(process.env.SEED ?? 1);
  const last = first + Number(process.env.SEEDS ?? count) - 1;
  for (let seed = first; seed <= last; seed++) {
    try {
      run(seed);
    } catch (error) {
      throw new Error(`seed ${seed} (replay: SEED=${seed} SEEDS=1): ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
}

/** As `forSeeds`, of what takes its turns: one seed after the other. */
export async function forSeedsInTurn(count: number, run: (seed: number) => Promise<void>): Promise<void> {
  const first = Number(process.env.SEED ?? 1);
  const last = first + Number(process.env.SEEDS ?? count) - 1;
  for (let seed = first; seed <= last; seed++) {
    try {
      await run(seed);
    } catch (error) {
      throw new Error(`seed ${seed} (replay: SEED=${seed} SEEDS=1): ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
}
